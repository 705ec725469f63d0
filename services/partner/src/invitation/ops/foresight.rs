//! What the services that take part would refuse, asked before a dry run.

use base::{Fault, Secret};
use service::Preparation;

use super::super::saga::Acceptance;
use super::super::store;
use crate::{Partner, link};

/// What was asked before a dry run, and refused. It has a size, so that the caller is found allowed before.
#[derive(Debug, Default)]
pub struct Foresight(Option<Fault>);

impl Foresight {
    /// Asks, if it is a dry run. The real call finds out when it is prepared. What is wrong here is found afterwards, and
    /// told first.
    pub(super) async fn ask(preparation: &Preparation<'_, Partner>, token: &Secret<String>) -> Result<Self, Fault> {
        if !preparation.dry {
            return Ok(Self::default());
        }
        let acceptance = foresee(preparation, token).await?;
        let refused = match acceptance {
            Some(acceptance) => acceptance.check(preparation.host, preparation.left()).await.err(),
            None => None,
        };
        Ok(Self(refused))
    }

    /// What was refused.
    ///
    /// # Errors
    /// The refusal.
    pub(super) fn check(&self) -> Result<(), Fault> {
        self.0.as_ref().map_or(Ok(()), |refusal| Err(refusal.repeated()))
    }
}

/// What would be accepted. A link that leads nowhere would accept nothing.
async fn foresee(preparation: &Preparation<'_, Partner>, token: &Secret<String>) -> Result<Option<Acceptance>, Fault> {
    let Some(principal) = preparation.caller.principal() else { return Ok(None) };
    let mut tx = preparation.host.db.snapshot().await?;
    let found = async {
        let Some((id, _)) = store::by_link(&mut tx, link::digest(token.expose())).await? else { return Ok(None) };
        let Some(invitation) = store::get(&mut tx, id).await? else { return Ok(None) };
        let who = (principal.organization_id, principal.id);
        Acceptance::foresee(&mut tx, &invitation, who).await.map(Some)
    };
    let found = found.await;
    tx.rollback().await;
    found
}
