//! Organizations in SQL.

use base::{Fault, Id};
use db::{Record, Row, Tx};

use super::{Cloud, Kind, Organization, State};
use crate::country::Country;
use crate::names::{Domain, sort_key};

impl Record for Organization {
    /// Without its domains.
    fn read(row: &Row) -> Result<Self, Fault> {
        let word = |name: &str| row.get::<String>(name);
        let broken = || Fault::internal("an organization's row holds an unknown word");
        Ok(Self {
            id: row.get("organization_id")?,
            kind: Kind::parse(&word("kind")?).ok_or_else(broken)?,
            name: word("name")?,
            country: Country::parse(&word("country")?).map_err(|_| broken())?,
            cloud: Cloud::parse(&word("cloud")?).ok_or_else(broken)?,
            state: State::parse(&word("state")?).ok_or_else(broken)?,
            domains: Vec::new(),
            create_time: row.get("create_time")?,
            version: row.get("version")?,
        })
    }
}

/// The organization with its domains.
pub async fn get(tx: &mut Tx, id: Id<Organization>) -> Result<Option<Organization>, Fault> {
    let found: Option<Organization> = tx
        .sql(
            "SELECT organization_id, kind, name, country, cloud, state, version, create_time
             FROM organizations
             WHERE organization_id = $1",
        )
        .bind(id)
        .for_share()
        .optional()
        .await?;
    let Some(mut organization) = found else { return Ok(None) };
    let domains: Vec<String> = tx
        .sql("SELECT domain FROM organization_domains WHERE organization_id = $1 ORDER BY position")
        .bind(id)
        .all()
        .await?;
    organization.domains = domains.iter().filter_map(|domain| Domain::parse(domain).ok()).collect();
    Ok(Some(organization))
}

/// The one organization of the vendor's staff.
pub async fn platform(tx: &mut Tx) -> Result<Option<Id<Organization>>, Fault> {
    tx.sql("SELECT organization_id FROM organizations WHERE kind = 'PLATFORM'").optional().await
}

/// Writes a new organization. False when one of its domains belongs to another; the transaction must then be rolled back.
pub async fn insert(tx: &mut Tx, organization: &Organization) -> Result<bool, Fault> {
    tx.sql(
        "INSERT INTO organizations
             (organization_id, kind, name, name_key, country, cloud, state, version, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
    )
    .bind(organization.id)
    .bind(organization.kind.as_str())
    .bind(&organization.name)
    .bind(sort_key(&organization.name))
    .bind(organization.country.as_str())
    .bind(organization.cloud.as_str())
    .bind(organization.state.as_str())
    .bind(organization.version)
    .bind(organization.create_time)
    .execute()
    .await?;
    for (position, domain) in (0_i64..).zip(&organization.domains) {
        let inserted = tx
            .sql(
                "INSERT INTO organization_domains (domain, organization_id, position, create_time)
                 VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
            )
            .bind(domain.as_str())
            .bind(organization.id)
            .bind(position)
            .bind(organization.create_time)
            .execute()
            .await?;
        if inserted == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
