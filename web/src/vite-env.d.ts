declare module "*.scss";
declare module "*.css";

declare namespace React {
  interface CSSProperties {
    "--least"?: string;
    "--narrow"?: string;
  }
}
