//! Workloads in SQL.

use base::{Fault, Id, Keyset, Page, Seek, Timestamp};
use db::{Record, Row, Tx};

use super::Workload;
use crate::names::sort_key;
use crate::organization::Organization;
use crate::user::Role;

impl Record for Workload {
    /// Without roles.
    fn read(row: &Row) -> Result<Self, Fault> {
        let digest: Vec<u8> = row.get("secret_digest")?;
        Ok(Self {
            id: row.get("workload_id")?,
            organization: row.get("organization_id")?,
            display_name: row.get("display_name")?,
            roles: std::collections::BTreeSet::new(),
            secret_digest: digest.try_into().map_err(|_| Fault::internal("a workload's digest has another length"))?,
            secret_create_time: row.get("secret_create_time")?,
            auth_version: row.get("auth_version")?,
            version: row.get("version")?,
            create_time: row.get("create_time")?,
        })
    }
}

/// The workload with roles, held as it is.
pub async fn get(tx: &mut Tx, id: Id<Workload>) -> Result<Option<Workload>, Fault> {
    let found: Option<Workload> = tx
        .sql(
            "SELECT workload_id, organization_id, display_name, secret_digest, secret_create_time, auth_version, version,
                 create_time
             FROM workloads
             WHERE workload_id = $1",
        )
        .bind(id)
        .for_share()
        .optional()
        .await?;
    let mut workloads: Vec<Workload> = found.into_iter().collect();
    add_roles(tx, &mut workloads).await?;
    Ok(workloads.pop())
}

/// One page of the organization's workloads by name.
pub async fn list(
    tx: &mut Tx,
    organization: Id<Organization>,
    seek: &Seek,
    limit: usize,
) -> Result<Page<Workload>, Fault> {
    let rows: Vec<Workload> = tx
        .sql(
            "SELECT workload_id, organization_id, display_name, secret_digest, secret_create_time, auth_version, version,
                 create_time
             FROM workloads
             WHERE organization_id = $1",
        )
        .bind(organization)
        .page(seek, limit, "name_key", "workload_id")
        .all()
        .await?;
    let mut page = Page::cut(rows, limit, seek, |workload| Keyset {
        key: sort_key(&workload.display_name),
        id: workload.id.uuid(),
    });
    add_roles(tx, &mut page.rows).await?;
    Ok(page)
}

async fn add_roles(tx: &mut Tx, workloads: &mut [Workload]) -> Result<(), Fault> {
    let ids: Vec<Id<Workload>> = workloads.iter().map(|workload| workload.id).collect();
    let roles: Vec<(Id<Workload>, String)> = tx
        .sql_for(
            "SELECT workload_id, role FROM workload_roles
             WHERE workload_id IN (SELECT unhex(value) FROM json_each($1))",
            "SELECT workload_id, role FROM workload_roles WHERE workload_id = ANY($1)",
        )
        .bind(&ids)
        .all()
        .await?;
    for (id, role) in roles {
        if let Some(workload) = workloads.iter_mut().find(|workload| workload.id == id) {
            workload.roles.extend(Role::parse(&role));
        }
    }
    Ok(())
}

/// Writes a new workload. False when its name is taken in the organization.
pub async fn insert(tx: &mut Tx, workload: &Workload) -> Result<bool, Fault> {
    let inserted = tx
        .sql(
            "INSERT INTO workloads
                 (workload_id, organization_id, display_name, name_key, secret_digest, secret_create_time, auth_version,
                  version, create_time)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT DO NOTHING",
        )
        .bind(workload.id)
        .bind(workload.organization)
        .bind(&workload.display_name)
        .bind(sort_key(&workload.display_name))
        .bind(workload.secret_digest)
        .bind(workload.secret_create_time)
        .bind(workload.auth_version)
        .bind(workload.version)
        .bind(workload.create_time)
        .execute()
        .await?;
    if inserted == 0 {
        return Ok(false);
    }
    for role in &workload.roles {
        tx.sql("INSERT INTO workload_roles (workload_id, role) VALUES ($1, $2)")
            .bind(workload.id)
            .bind(role.as_str())
            .execute()
            .await?;
    }
    Ok(true)
}

/// Replaces the secret and raises auth_version, unless somebody was faster.
pub async fn set_secret(tx: &mut Tx, workload: &Workload, digest: &[u8; 32], now: Timestamp) -> Result<bool, Fault> {
    let updated = tx
        .sql(
            "UPDATE workloads
             SET secret_digest = $3, secret_create_time = $4, auth_version = auth_version + 1, version = version + 1
             WHERE workload_id = $1 AND version = $2",
        )
        .bind(workload.id)
        .bind(workload.version)
        .bind(digest)
        .bind(now)
        .execute()
        .await?;
    Ok(updated == 1)
}

/// Deletes the workload, unless somebody was faster.
pub async fn delete(tx: &mut Tx, workload: &Workload) -> Result<bool, Fault> {
    let deleted = tx
        .sql("DELETE FROM workloads WHERE workload_id = $1 AND version = $2")
        .bind(workload.id)
        .bind(workload.version)
        .execute()
        .await?;
    Ok(deleted == 1)
}
