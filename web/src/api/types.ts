import type { components } from "./schema.gen";

type Schemas = components["schemas"];

export type Tenant = Schemas["Tenant"];
export type Job = Schemas["Job"];
export type JobEvent = Schemas["JobEvent"];
export type Member = Schemas["Member"];
export type Snapshot = Schemas["Snapshot"];
export type Backup = Schemas["Backup"];
export type Drill = Schemas["Drill"];
export type Domain = Schemas["Domain"];
export type Image = Schemas["Image"];
export type Policy = Schemas["Policy"];
export type Plan = Schemas["Plan"];
export type Finding = Schemas["Finding"];
export type Explanation = Schemas["Explanation"];
export type MovePlan = Schemas["MovePlan"];
export type TenantTraffic = Schemas["TenantTraffic"];
export type Traffic = Schemas["Traffic"];
export type Session = Schemas["Session"];
export type Role = Schemas["Role"];
export type User = Schemas["User"];
export type Token = Schemas["Token"];
export type AuditEntry = Schemas["AuditEntry"];
export type MoveEstimate = Schemas["MoveEstimate"];
export type ProblemDocument = Schemas["Problem"];
