//! Organizations in SQL.

use base::country::Country;
use base::names::sort_key;
use base::{Fault, Id};
use db::{Record, Row, Tx};

use super::{Cloud, Kind, Organization};

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
            domains: Vec::new(),
            version: row.get("version")?,
        })
    }
}

/// The organization with its domains.
pub async fn get(tx: &mut Tx, id: Id<Organization>) -> Result<Option<Organization>, Fault> {
    let found: Option<Organization> = tx
        .sql(
            "SELECT organization_id, kind, name, country, cloud, version FROM organizations WHERE organization_id = $1",
        )
        .bind(id)
        .optional()
        .await?;
    let Some(mut organization) = found else { return Ok(None) };
    organization.domains = tx
        .sql("SELECT domain FROM organization_domains WHERE organization_id = $1 ORDER BY position")
        .bind(id)
        .all()
        .await?;
    Ok(Some(organization))
}

/// Takes over what identity told, unless something newer is here.
pub async fn put(tx: &mut Tx, organization: &Organization) -> Result<(), Fault> {
    let name_key = sort_key(&organization.name);
    let newer = tx
        .sql(
            "INSERT INTO organizations (organization_id, kind, name, name_key, country, cloud, version)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (organization_id) DO UPDATE
             SET name = excluded.name, name_key = excluded.name_key, version = excluded.version
             WHERE organizations.version < excluded.version",
        )
        .bind(organization.id)
        .bind(organization.kind.as_str())
        .bind(&organization.name)
        .bind(&name_key)
        .bind(organization.country.as_str())
        .bind(organization.cloud.as_str())
        .bind(organization.version)
        .execute()
        .await?;
    if newer == 0 {
        return Ok(());
    }
    tx.sql("DELETE FROM organization_domains WHERE organization_id = $1").bind(organization.id).execute().await?;
    for (position, domain) in (0_i64..).zip(&organization.domains) {
        tx.sql("INSERT INTO organization_domains (organization_id, position, domain) VALUES ($1, $2, $3)")
            .bind(organization.id)
            .bind(position)
            .bind(domain)
            .execute()
            .await?;
    }
    // A partner's customers are listed by this key.
    tx.sql("UPDATE relationships SET name_key = $2 WHERE customer_id = $1")
        .bind(organization.id)
        .bind(&name_key)
        .execute()
        .await
        .map(drop)
}
