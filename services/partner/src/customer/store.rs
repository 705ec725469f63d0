//! Relationships and delegated admin in SQL.

pub mod epochs;

use base::names::{prefix_end, sort_key};
use base::{Fault, Id, Keyset, Page, Seek, Timestamp};
use db::{Record, Row, Tx};
use uuid::Uuid;

use super::{DelegatedAdmin, Relationship, Source, State};
use crate::account::PartnerKind;
use crate::organization::Organization;

impl Record for Relationship {
    fn read(row: &Row) -> Result<Self, Fault> {
        let word = |name: &str| row.get::<String>(name);
        let broken = || Fault::internal("a relationship's row holds an unknown word");
        Ok(Self {
            customer: row.get("customer_id")?,
            partner: row.get("partner_id")?,
            kind: PartnerKind::parse(&word("kind")?).ok_or_else(broken)?,
            state: State::parse(&word("state")?).ok_or_else(broken)?,
            source: Source::parse(&word("source")?).ok_or_else(broken)?,
            since: row.get("state_time")?,
            version: row.get("version")?,
        })
    }
}

impl Record for DelegatedAdmin {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self { is_granted: row.get::<String>("state")? == "GRANTED", version: row.get("version")? })
    }
}

/// The relationship, held for a change: its end either precedes what rests on it or waits for it.
pub async fn get(
    tx: &mut Tx,
    customer: Id<Organization>,
    partner: Id<Organization>,
) -> Result<Option<Relationship>, Fault> {
    tx.sql(
        "SELECT customer_id, partner_id, kind, state, source, state_time, version
         FROM relationships
         WHERE customer_id = $1 AND partner_id = $2",
    )
    .bind(customer)
    .bind(partner)
    .for_update()
    .optional()
    .await
}

/// Whether the partner serves the customer. Nothing is held.
pub async fn is_served(tx: &mut Tx, customer: Id<Organization>, partner: Id<Organization>) -> Result<bool, Fault> {
    let found: Option<i64> = tx
        .sql(
            "SELECT version FROM relationships
             WHERE customer_id = $1 AND partner_id = $2 AND state = 'ACTIVE'",
        )
        .bind(customer)
        .bind(partner)
        .optional()
        .await?;
    Ok(found.is_some())
}

/// Makes the relationship ACTIVE, or leaves it so. There is one for each customer and partner; a removed one comes back.
pub async fn activate(
    tx: &mut Tx,
    customer: &Organization,
    partner: Id<Organization>,
    kind: PartnerKind,
    source: Source,
    now: Timestamp,
) -> Result<bool, Fault> {
    let changed = tx
        .sql(
            "INSERT INTO relationships
                 (customer_id, partner_id, kind, state, source, name_key, state_time, version, create_time)
             VALUES ($1, $2, $3, 'ACTIVE', $4, $5, $6, 1, $6)
             ON CONFLICT (customer_id, partner_id) DO UPDATE
             SET kind = excluded.kind, state = 'ACTIVE', source = excluded.source, state_time = excluded.state_time,
                 attested_by = NULL, version = relationships.version + 1
             WHERE relationships.state <> 'ACTIVE'",
        )
        .bind(customer.id)
        .bind(partner)
        .bind(kind.as_str())
        .bind(source.as_str())
        .bind(sort_key(&customer.name))
        .bind(now)
        .execute()
        .await?;
    Ok(changed == 1)
}

/// Ends the relationship, unless somebody was faster.
pub async fn remove(
    tx: &mut Tx,
    relationship: &Relationship,
    attested_by: Uuid,
    now: Timestamp,
) -> Result<bool, Fault> {
    let removed = tx
        .sql(
            "UPDATE relationships SET state = 'REMOVED', state_time = $4, attested_by = $5, version = version + 1
             WHERE customer_id = $1 AND partner_id = $2 AND version = $3 AND state = 'ACTIVE'",
        )
        .bind(relationship.customer)
        .bind(relationship.partner)
        .bind(relationship.version)
        .bind(now)
        .bind(attested_by)
        .execute()
        .await?;
    Ok(removed == 1)
}

/// What the customer grants the partner, if it ever did.
pub async fn delegated_admin(
    tx: &mut Tx,
    customer: Id<Organization>,
    partner: Id<Organization>,
) -> Result<Option<DelegatedAdmin>, Fault> {
    tx.sql("SELECT state, version FROM delegated_admins WHERE customer_id = $1 AND partner_id = $2")
        .bind(customer)
        .bind(partner)
        .for_update()
        .optional()
        .await
}

/// Grants delegated admin, or leaves it granted.
pub async fn grant(
    tx: &mut Tx,
    customer: Id<Organization>,
    partner: Id<Organization>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let changed = tx
        .sql(
            "INSERT INTO delegated_admins (customer_id, partner_id, state, version, update_time)
             VALUES ($1, $2, 'GRANTED', 1, $3)
             ON CONFLICT (customer_id, partner_id) DO UPDATE
             SET state = 'GRANTED', version = delegated_admins.version + 1, update_time = excluded.update_time
             WHERE delegated_admins.state <> 'GRANTED'",
        )
        .bind(customer)
        .bind(partner)
        .bind(now)
        .execute()
        .await?;
    Ok(changed == 1)
}

/// Withdraws it, unless it was changed meanwhile.
pub async fn revoke(
    tx: &mut Tx,
    customer: Id<Organization>,
    partner: Id<Organization>,
    granted: DelegatedAdmin,
    now: Timestamp,
) -> Result<bool, Fault> {
    let changed = tx
        .sql(
            "UPDATE delegated_admins SET state = 'REVOKED', version = version + 1, update_time = $4
             WHERE customer_id = $1 AND partner_id = $2 AND version = $3 AND state = 'GRANTED'",
        )
        .bind(customer)
        .bind(partner)
        .bind(granted.version)
        .bind(now)
        .execute()
        .await?;
    Ok(changed == 1)
}

/// A customer as a partner sees it.
#[derive(Clone, Debug)]
pub struct Served {
    /// The relationship.
    pub relationship: Relationship,
    /// Legal name.
    pub name: String,
    /// Where it is.
    pub country: String,
    /// Its first domain.
    pub domain: String,
}

impl Record for Served {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            relationship: Relationship::read(row)?,
            name: row.get("name")?,
            country: row.get("country")?,
            domain: row.get("domain")?,
        })
    }
}

impl Served {
    fn position(&self) -> Keyset {
        Keyset { key: sort_key(&self.name), id: self.relationship.customer.uuid() }
    }
}

/// Which customers a list holds.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only those whose key begins with this one.
    pub name_prefix: String,
    /// Only those that own a domain which begins with this one, in lower case.
    pub domain_prefix: String,
}

/// The customer as this partner sees it.
pub async fn served(
    tx: &mut Tx,
    customer: Id<Organization>,
    partner: Id<Organization>,
) -> Result<Option<Served>, Fault> {
    tx.sql(
        "SELECT r.customer_id, r.partner_id, r.kind, r.state, r.source, r.state_time, r.version, o.name, o.country,
             d.domain
         FROM relationships r
         JOIN organizations o ON o.organization_id = r.customer_id
         JOIN organization_domains d ON d.organization_id = r.customer_id AND d.position = 0
         WHERE r.customer_id = $1 AND r.partner_id = $2 AND r.state = 'ACTIVE'",
    )
    .bind(customer)
    .bind(partner)
    .optional()
    .await
}

/// One page of the partner's customers by name.
pub async fn list(
    tx: &mut Tx,
    partner: Id<Organization>,
    filter: &Filter,
    seek: &Seek,
    limit: usize,
) -> Result<Page<Served>, Fault> {
    // Domains are ASCII: without a filter every one of them lies in the range.
    let domain_end = prefix_end(&filter.domain_prefix).unwrap_or_else(|| char::MAX.to_string());
    let rows: Vec<Served> = tx
        .sql(
            "SELECT r.customer_id, r.partner_id, r.kind, r.state, r.source, r.state_time, r.version, o.name, o.country,
                 d.domain
             FROM relationships r
             JOIN organizations o ON o.organization_id = r.customer_id
             JOIN organization_domains d ON d.organization_id = r.customer_id AND d.position = 0
             WHERE r.partner_id = $1 AND r.state = 'ACTIVE' AND r.name_key >= $2 AND EXISTS (
                 SELECT 1 FROM organization_domains e
                 WHERE e.organization_id = r.customer_id AND e.domain >= $3 AND e.domain < $4)",
        )
        .bind(partner)
        .bind(&filter.name_prefix)
        .bind(&filter.domain_prefix)
        .bind(domain_end)
        .when(prefix_end(&filter.name_prefix), "AND r.name_key < $?")
        .page(seek, limit, "r.name_key", "r.customer_id")
        .all()
        .await?;
    Ok(Page::cut(rows, limit, seek, Served::position))
}

/// One page of the customers whom both serve, by name.
pub async fn shared(
    tx: &mut Tx,
    (one, other): (Id<Organization>, Id<Organization>),
    seek: &Seek,
    limit: usize,
) -> Result<Page<(Id<Organization>, String)>, Fault> {
    let rows: Vec<(Id<Organization>, String)> = tx
        .sql(
            "SELECT r.customer_id, o.name
             FROM relationships r
             JOIN relationships s ON s.customer_id = r.customer_id AND s.partner_id = $2 AND s.state = 'ACTIVE'
             JOIN organizations o ON o.organization_id = r.customer_id
             WHERE r.partner_id = $1 AND r.state = 'ACTIVE'",
        )
        .bind(one)
        .bind(other)
        .page(seek, limit, "r.name_key", "r.customer_id")
        .all()
        .await?;
    Ok(Page::cut(rows, limit, seek, |(id, name)| Keyset { key: sort_key(name), id: id.uuid() }))
}

/// A partner as its customer sees it.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The relationship.
    pub relationship: Relationship,
    /// Legal name.
    pub name: String,
    /// What the customer grants it.
    pub delegated_admin: DelegatedAdmin,
}

impl Record for Serving {
    fn read(row: &Row) -> Result<Self, Fault> {
        let state: Option<String> = row.get("admin_state")?;
        let version: Option<i64> = row.get("admin_version")?;
        Ok(Self {
            relationship: Relationship::read(row)?,
            name: row.get("name")?,
            delegated_admin: DelegatedAdmin {
                is_granted: state.as_deref() == Some("GRANTED"),
                version: version.unwrap_or(0),
            },
        })
    }
}

/// One page of the partners that serve the customer, or still have delegated admin over it, by name.
pub async fn partners(
    tx: &mut Tx,
    customer: Id<Organization>,
    seek: &Seek,
    limit: usize,
) -> Result<Page<Serving>, Fault> {
    let rows: Vec<Serving> = tx
        .sql(
            "SELECT r.customer_id, r.partner_id, r.kind, r.state, r.source, r.state_time, r.version, o.name,
                 d.state AS admin_state, d.version AS admin_version
             FROM relationships r
             JOIN organizations o ON o.organization_id = r.partner_id
             LEFT JOIN delegated_admins d ON d.customer_id = r.customer_id AND d.partner_id = r.partner_id
             WHERE r.customer_id = $1 AND (r.state = 'ACTIVE' OR d.state = 'GRANTED')",
        )
        .bind(customer)
        .page(seek, limit, "o.name_key", "o.organization_id")
        .all()
        .await?;
    Ok(Page::cut(rows, limit, seek, |row| Keyset { key: sort_key(&row.name), id: row.relationship.partner.uuid() }))
}

/// One partner as its customer sees it.
pub async fn partner(
    tx: &mut Tx,
    customer: Id<Organization>,
    partner: Id<Organization>,
) -> Result<Option<Serving>, Fault> {
    tx.sql(
        "SELECT r.customer_id, r.partner_id, r.kind, r.state, r.source, r.state_time, r.version, o.name,
             d.state AS admin_state, d.version AS admin_version
         FROM relationships r
         JOIN organizations o ON o.organization_id = r.partner_id
         LEFT JOIN delegated_admins d ON d.customer_id = r.customer_id AND d.partner_id = r.partner_id
         WHERE r.customer_id = $1 AND r.partner_id = $2",
    )
    .bind(customer)
    .bind(partner)
    .optional()
    .await
}

/// Those who serve the customer and have an ACTIVE partnership with this partner, by name.
pub async fn colleagues(
    tx: &mut Tx,
    customer: Id<Organization>,
    partner: Id<Organization>,
    limit: i64,
) -> Result<Vec<Serving>, Fault> {
    tx.sql(
        "SELECT r.customer_id, r.partner_id, r.kind, r.state, r.source, r.state_time, r.version, o.name,
             d.state AS admin_state, d.version AS admin_version
         FROM relationships r
         JOIN organizations o ON o.organization_id = r.partner_id
         LEFT JOIN delegated_admins d ON d.customer_id = r.customer_id AND d.partner_id = r.partner_id
         WHERE r.customer_id = $1 AND r.state = 'ACTIVE' AND EXISTS (
             SELECT 1 FROM partnerships p
             WHERE p.state = 'ACTIVE'
                 AND (p.provider_id = r.partner_id AND p.reseller_id = $2
                     OR p.reseller_id = r.partner_id AND p.provider_id = $2))
         ORDER BY o.name_key, o.organization_id
         LIMIT $3",
    )
    .bind(customer)
    .bind(partner)
    .bind(limit)
    .all()
    .await
}
