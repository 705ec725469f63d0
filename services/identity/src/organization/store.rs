//! Organizations in SQL.

use base::{Fault, Id, Keyset, Page, Seek, Timestamp};
use db::{Record, Row, Tx};

use super::{Cloud, Kind, Organization, State};
use crate::country::Country;
use crate::names::{Domain, prefix_end, sort_key};

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

/// The organization with its domains, held as it is. One that is pending is not there.
pub async fn get(tx: &mut Tx, id: Id<Organization>) -> Result<Option<Organization>, Fault> {
    let found: Option<Organization> = tx
        .sql(
            "SELECT organization_id, kind, name, country, cloud, state, version, create_time
             FROM organizations
             WHERE organization_id = $1 AND state <> 'PENDING'",
        )
        .bind(id)
        .for_share()
        .optional()
        .await?;
    with_domains(tx, found).await
}

/// The organization with its domains, held for a change of itself or of a set that it stands for.
pub async fn lock(tx: &mut Tx, id: Id<Organization>) -> Result<Option<Organization>, Fault> {
    let found: Option<Organization> = tx
        .sql(
            "SELECT organization_id, kind, name, country, cloud, state, version, create_time
             FROM organizations
             WHERE organization_id = $1 AND state <> 'PENDING'",
        )
        .bind(id)
        .for_update()
        .optional()
        .await?;
    with_domains(tx, found).await
}

/// The organization with its domains in whatever state, for whoever makes it.
pub async fn in_the_making(tx: &mut Tx, id: Id<Organization>) -> Result<Option<Organization>, Fault> {
    let found: Option<Organization> = tx
        .sql(
            "SELECT organization_id, kind, name, country, cloud, state, version, create_time
             FROM organizations
             WHERE organization_id = $1",
        )
        .bind(id)
        .optional()
        .await?;
    with_domains(tx, found).await
}

/// Makes a pending organization effective. It keeps its version: as pending it was nobody's to change.
pub async fn activate(tx: &mut Tx, id: Id<Organization>, now: Timestamp) -> Result<bool, Fault> {
    let activated = tx
        .sql("UPDATE organizations SET state = 'ACTIVE', update_time = $2 WHERE organization_id = $1 AND state = 'PENDING'")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(activated == 1)
}

/// Deletes a pending organization, whose users are gone already, and frees its domains.
pub async fn remove_pending(tx: &mut Tx, id: Id<Organization>) -> Result<(), Fault> {
    tx.sql("DELETE FROM organization_domains WHERE organization_id = $1").bind(id).execute().await?;
    tx.sql("DELETE FROM organizations WHERE organization_id = $1 AND state = 'PENDING'")
        .bind(id)
        .execute()
        .await
        .map(drop)
}

async fn with_domains(tx: &mut Tx, found: Option<Organization>) -> Result<Option<Organization>, Fault> {
    let mut organizations: Vec<Organization> = found.into_iter().collect();
    add_domains(tx, &mut organizations).await?;
    Ok(organizations.pop())
}

async fn add_domains(tx: &mut Tx, organizations: &mut [Organization]) -> Result<(), Fault> {
    let ids: Vec<Id<Organization>> = organizations.iter().map(|organization| organization.id).collect();
    let domains: Vec<(Id<Organization>, String)> = tx
        .sql_for(
            "SELECT organization_id, domain FROM organization_domains
             WHERE organization_id IN (SELECT unhex(value) FROM json_each($1))
             ORDER BY organization_id, position",
            "SELECT organization_id, domain FROM organization_domains
             WHERE organization_id = ANY($1)
             ORDER BY organization_id, position",
        )
        .bind(&ids)
        .all()
        .await?;
    for (id, domain) in domains {
        if let Some(organization) = organizations.iter_mut().find(|organization| organization.id == id) {
            organization.domains.extend(Domain::parse(&domain));
        }
    }
    Ok(())
}

/// Which organizations a list holds.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only those whose key begins with this one.
    pub name_prefix: String,
}

/// One page of all organizations by name.
pub async fn list(tx: &mut Tx, filter: &Filter, seek: &Seek, limit: usize) -> Result<Page<Organization>, Fault> {
    let rows: Vec<Organization> = tx
        .sql(
            "SELECT organization_id, kind, name, country, cloud, state, version, create_time
             FROM organizations
             WHERE name_key >= $1 AND state <> 'PENDING'",
        )
        .bind(&filter.name_prefix)
        .when(prefix_end(&filter.name_prefix), "AND name_key < $?")
        .when(filter.kind.map(Kind::as_str), "AND kind = $?")
        .page(seek, limit, "name_key", "organization_id")
        .all()
        .await?;
    let mut page = Page::cut(rows, limit, seek, |organization| Keyset {
        key: sort_key(&organization.name),
        id: organization.id.uuid(),
    });
    add_domains(tx, &mut page.rows).await?;
    Ok(page)
}

/// Changes the name, unless somebody was faster.
pub async fn set_name(tx: &mut Tx, organization: &Organization, name: &str, now: Timestamp) -> Result<bool, Fault> {
    let updated = tx
        .sql(
            "UPDATE organizations SET name = $3, name_key = $4, version = version + 1, update_time = $5
             WHERE organization_id = $1 AND version = $2",
        )
        .bind(organization.id)
        .bind(organization.version)
        .bind(name)
        .bind(sort_key(name))
        .bind(now)
        .execute()
        .await?;
    Ok(updated == 1)
}

/// Gives a locked organization its next domain. False when the domain belongs to an organization.
pub async fn add_domain(
    tx: &mut Tx,
    organization: &Organization,
    domain: &Domain,
    now: Timestamp,
) -> Result<bool, Fault> {
    let last: Option<i64> = tx
        .sql("SELECT MAX(position) FROM organization_domains WHERE organization_id = $1")
        .bind(organization.id)
        .one()
        .await?;
    if !insert_domain(tx, organization.id, domain, last.map_or(0, |last| last + 1), now).await? {
        return Ok(false);
    }
    tx.sql("UPDATE organizations SET version = version + 1, update_time = $2 WHERE organization_id = $1")
        .bind(organization.id)
        .bind(now)
        .execute()
        .await?;
    Ok(true)
}

async fn insert_domain(
    tx: &mut Tx,
    organization: Id<Organization>,
    domain: &Domain,
    position: i64,
    now: Timestamp,
) -> Result<bool, Fault> {
    let inserted = tx
        .sql(
            "INSERT INTO organization_domains (domain, organization_id, position, create_time)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
        )
        .bind(domain.as_str())
        .bind(organization)
        .bind(position)
        .bind(now)
        .execute()
        .await?;
    Ok(inserted == 1)
}

/// Whether the domain belongs to an organization.
pub async fn has_owner(tx: &mut Tx, domain: &Domain) -> Result<bool, Fault> {
    let owner: Option<Id<Organization>> = tx
        .sql("SELECT organization_id FROM organization_domains WHERE domain = $1")
        .bind(domain.as_str())
        .optional()
        .await?;
    Ok(owner.is_some())
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
        if !insert_domain(tx, organization.id, domain, position, organization.create_time).await? {
            return Ok(false);
        }
    }
    Ok(true)
}
