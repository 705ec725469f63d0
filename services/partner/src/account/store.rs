//! Accounts in SQL.

use base::{Fault, Id};
use db::{Record, Row, Tx};

use super::{Account, MpnId, PartnerKind, State, SupportContact};
use crate::email::Email;
use crate::organization::Organization;

impl Record for Account {
    fn read(row: &Row) -> Result<Self, Fault> {
        let word = |name: &str| row.get::<String>(name);
        let broken = || Fault::internal("an account's row holds an unknown word");
        Ok(Self {
            partner: row.get("partner_id")?,
            kind: PartnerKind::parse(&word("kind")?).ok_or_else(broken)?,
            state: State::parse(&word("state")?).ok_or_else(broken)?,
            mpn_id: MpnId::parse(&word("mpn_id")?).map_err(|_| broken())?,
            support: SupportContact {
                email: Email::parse(&word("support_email")?).map_err(|_| broken())?,
                phone: word("support_phone")?,
                website: word("support_website")?,
            },
            version: row.get("version")?,
            create_time: row.get("create_time")?,
        })
    }
}

/// The account of a partner, held as it is: a suspension either precedes what rests on it or waits for it.
pub async fn get(tx: &mut Tx, partner: Id<Organization>) -> Result<Option<Account>, Fault> {
    tx.sql(
        "SELECT partner_id, kind, state, mpn_id, support_email, support_phone, support_website, version, create_time
         FROM accounts
         WHERE partner_id = $1",
    )
    .bind(partner)
    .for_share()
    .optional()
    .await
}

/// Whether a partner has the MPN id.
pub async fn is_linked(tx: &mut Tx, mpn_id: &MpnId) -> Result<bool, Fault> {
    let found: Option<Id<Organization>> =
        tx.sql("SELECT partner_id FROM accounts WHERE mpn_id = $1").bind(mpn_id.as_str()).optional().await?;
    Ok(found.is_some())
}

/// Writes a new account. False when the MPN id is taken.
pub async fn insert(tx: &mut Tx, account: &Account) -> Result<bool, Fault> {
    let inserted = tx
        .sql(
            "INSERT INTO accounts
                 (partner_id, kind, state, mpn_id, support_email, support_phone, support_website, version, create_time,
                  update_time)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
             ON CONFLICT DO NOTHING",
        )
        .bind(account.partner)
        .bind(account.kind.as_str())
        .bind(account.state.as_str())
        .bind(account.mpn_id.as_str())
        .bind(account.support.email.as_str())
        .bind(&account.support.phone)
        .bind(&account.support.website)
        .bind(account.version)
        .bind(account.create_time)
        .execute()
        .await?;
    Ok(inserted == 1)
}
