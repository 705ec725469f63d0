//! Partnerships in SQL.

use base::names::{prefix_end, sort_key};
use base::{Fault, Id, Keyset, Page, Seek, Timestamp};
use db::{Record, Row, Tx};
use uuid::Uuid;

use super::{Partnership, State, not_active};
use crate::organization::Organization;

impl Record for Partnership {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.get("partnership_id")?,
            provider: row.get("provider_id")?,
            reseller: row.get("reseller_id")?,
            state: State::parse(&row.get::<String>("state")?)
                .ok_or_else(|| Fault::internal("a partnership's row holds an unknown state"))?,
            provider_admin_access: row.get("provider_admin_access")?,
            recipient_email: row.get("recipient_email")?,
            expire_time: row.get("expire_time")?,
            accept_time: row.get("accept_time")?,
            version: row.get("version")?,
            create_time: row.get("create_time")?,
        })
    }
}

/// The partnership as it is. Who takes part in it never changes, so nothing has to be held for that.
pub async fn get(tx: &mut Tx, id: Id<Partnership>) -> Result<Option<Partnership>, Fault> {
    tx.sql(
        "SELECT partnership_id, provider_id, reseller_id, state, provider_admin_access, recipient_email, expire_time,
             accept_time, version, create_time
         FROM partnerships
         WHERE partnership_id = $1",
    )
    .bind(id)
    .optional()
    .await
}

/// The partnership, held for a change.
pub async fn lock(tx: &mut Tx, id: Id<Partnership>) -> Result<Option<Partnership>, Fault> {
    tx.sql(
        "SELECT partnership_id, provider_id, reseller_id, state, provider_admin_access, recipient_email, expire_time,
             accept_time, version, create_time
         FROM partnerships
         WHERE partnership_id = $1",
    )
    .bind(id)
    .for_update()
    .optional()
    .await
}

/// The partnership of a link, held for a change.
pub async fn by_link(tx: &mut Tx, digest: [u8; 32]) -> Result<Option<Partnership>, Fault> {
    tx.sql(
        "SELECT partnership_id, provider_id, reseller_id, state, provider_admin_access, recipient_email, expire_time,
             accept_time, version, create_time
         FROM partnerships
         WHERE token_digest = $1",
    )
    .bind(digest)
    .for_update()
    .optional()
    .await
}

/// The ACTIVE partnership of a pair, held as it is: its end either precedes what rests on it or waits for it.
pub async fn active(
    tx: &mut Tx,
    provider: Id<Organization>,
    reseller: Id<Organization>,
) -> Result<Option<Id<Partnership>>, Fault> {
    tx.sql(
        "SELECT partnership_id FROM partnerships
         WHERE provider_id = $1 AND reseller_id = $2 AND state = 'ACTIVE'",
    )
    .bind(provider)
    .bind(reseller)
    .for_share()
    .optional()
    .await
}

/// Whether the two are partners. Nothing is held: the answer lasts as long as the pair's epoch is.
pub async fn are_partners(tx: &mut Tx, provider: Id<Organization>, reseller: Id<Organization>) -> Result<bool, Fault> {
    let found: Option<Id<Partnership>> = tx
        .sql(
            "SELECT partnership_id FROM partnerships
             WHERE provider_id = $1 AND reseller_id = $2 AND state = 'ACTIVE'",
        )
        .bind(provider)
        .bind(reseller)
        .optional()
        .await?;
    Ok(found.is_some())
}

/// Refuses what rests on the partnership of the two when there is none. Its row is held.
///
/// # Errors
/// `PARTNERSHIP_NOT_ACTIVE`.
pub async fn check_active(tx: &mut Tx, provider: Id<Organization>, reseller: Id<Organization>) -> Result<(), Fault> {
    active(tx, provider, reseller).await?.map(drop).ok_or_else(not_active)
}

/// How many invitations of the provider are open.
pub async fn count_open(tx: &mut Tx, provider: Id<Organization>, now: Timestamp) -> Result<i64, Fault> {
    tx.sql("SELECT COUNT(*) FROM partnerships WHERE provider_id = $1 AND state = 'INVITED' AND expire_time > $2")
        .bind(provider)
        .bind(now)
        .one()
        .await
}

/// Writes a new invitation.
pub async fn insert(tx: &mut Tx, partnership: &Partnership, digest: [u8; 32]) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO partnerships
             (partnership_id, provider_id, reseller_id, state, provider_admin_access, recipient_email, token_digest,
              expire_time, version, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
    )
    .bind(partnership.id)
    .bind(partnership.provider)
    .bind(partnership.reseller)
    .bind(partnership.state.as_str())
    .bind(partnership.provider_admin_access)
    .bind(&partnership.recipient_email)
    .bind(digest)
    .bind(partnership.expire_time)
    .bind(partnership.version)
    .bind(partnership.create_time)
    .execute()
    .await
    .map(drop)
}

/// Makes it ACTIVE with that reseller. False when somebody was faster.
pub async fn accept(
    tx: &mut Tx,
    partnership: &Partnership,
    reseller: Id<Organization>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let changed = tx
        .sql(
            "UPDATE partnerships
             SET state = 'ACTIVE', reseller_id = $3, provider_admin_access = TRUE, accept_time = $4, update_time = $4,
                 version = version + 1
             WHERE partnership_id = $1 AND version = $2 AND state = 'INVITED'",
        )
        .bind(partnership.id)
        .bind(partnership.version)
        .bind(reseller)
        .bind(now)
        .execute()
        .await?;
    Ok(changed == 1)
}

/// Moves it to another state, which ends the provider's access. False when somebody was faster.
pub async fn end(
    tx: &mut Tx,
    partnership: &Partnership,
    state: State,
    attested_by: Option<Uuid>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let changed = tx
        .sql(
            "UPDATE partnerships
             SET state = $3, provider_admin_access = FALSE, attested_by = $4, update_time = $5, version = version + 1
             WHERE partnership_id = $1 AND version = $2",
        )
        .bind(partnership.id)
        .bind(partnership.version)
        .bind(state.as_str())
        .bind(attested_by)
        .bind(now)
        .execute()
        .await?;
    Ok(changed == 1)
}

/// Withdraws the provider's access. False when somebody was faster.
pub async fn revoke_access(tx: &mut Tx, partnership: &Partnership, now: Timestamp) -> Result<bool, Fault> {
    let changed = tx
        .sql(
            "UPDATE partnerships SET provider_admin_access = FALSE, update_time = $3, version = version + 1
             WHERE partnership_id = $1 AND version = $2 AND state = 'ACTIVE'",
        )
        .bind(partnership.id)
        .bind(partnership.version)
        .bind(now)
        .execute()
        .await?;
    Ok(changed == 1)
}

/// One side of an ACTIVE partnership as the other side sees it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The partnership.
    pub id: Id<Partnership>,
    /// The other side.
    pub partner: Id<Organization>,
    /// Its legal name.
    pub name: String,
    /// Its id in the vendor's partner network.
    pub mpn_id: String,
    /// Where it is.
    pub country: String,
    /// The provider's access to the reseller's organization.
    pub provider_admin_access: bool,
    /// When it became ACTIVE.
    pub accept_time: Option<Timestamp>,
}

impl Record for Entry {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.get("partnership_id")?,
            partner: row.get("organization_id")?,
            name: row.get("name")?,
            mpn_id: row.get("mpn_id")?,
            country: row.get("country")?,
            provider_admin_access: row.get("provider_admin_access")?,
            accept_time: row.get("accept_time")?,
        })
    }
}

impl Entry {
    fn position(&self) -> Keyset {
        Keyset { key: sort_key(&self.name), id: self.partner.uuid() }
    }
}

/// One page of those with whom a partner has an ACTIVE partnership, by name: a reseller's providers or a provider's
/// resellers, since nobody is both.
pub async fn others(
    tx: &mut Tx,
    own: Id<Organization>,
    name_prefix: &str,
    seek: &Seek,
    limit: usize,
) -> Result<Page<Entry>, Fault> {
    let rows: Vec<Entry> = tx
        .sql(
            "SELECT p.partnership_id, o.organization_id, o.name, a.mpn_id, o.country, p.provider_admin_access,
                 p.accept_time
             FROM partnerships p
             JOIN organizations o
                 ON o.organization_id = CASE p.provider_id WHEN $1 THEN p.reseller_id ELSE p.provider_id END
             JOIN accounts a ON a.partner_id = o.organization_id
             WHERE (p.provider_id = $1 OR p.reseller_id = $1) AND p.state = 'ACTIVE' AND o.name_key >= $2",
        )
        .bind(own)
        .bind(name_prefix)
        .when(prefix_end(name_prefix), "AND o.name_key < $?")
        .page(seek, limit, "o.name_key", "o.organization_id")
        .all()
        .await?;
    Ok(Page::cut(rows, limit, seek, Entry::position))
}
