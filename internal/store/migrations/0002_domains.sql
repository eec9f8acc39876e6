-- site is JSON: what is kept of the tenant's domains, its maintenance and its holds. It is
-- nullable because MySQL gives no text column a default; no row has NULL after this.
ALTER TABLE tenants ADD COLUMN site MEDIUMTEXT;

UPDATE tenants SET site = '{}';

-- pending is an index over tenants.site. The check_ columns are the outcome of the last look
-- for a pending domain's proof; they change without the tenant's revision.
ALTER TABLE tenant_domains ADD COLUMN pending BIGINT NOT NULL DEFAULT 0;

ALTER TABLE tenant_domains ADD COLUMN check_at BIGINT NOT NULL DEFAULT 0;

ALTER TABLE tenant_domains ADD COLUMN check_next BIGINT NOT NULL DEFAULT 0;

ALTER TABLE tenant_domains ADD COLUMN check_fails BIGINT NOT NULL DEFAULT 0;

ALTER TABLE tenant_domains ADD COLUMN check_error MEDIUMTEXT;

CREATE INDEX tenant_domains_pending ON tenant_domains (pending, domain);
