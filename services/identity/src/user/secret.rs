//! The end of a temporary password that could still be shown to somebody.

use base::{Fault, Id};
use service::Cx;

use super::User;
use crate::{Identity, origin};

/// The user's temporary password was used or replaced: nobody is shown it again, wherever it was kept for that.
pub(crate) async fn forget_secret(cx: &mut Cx<Identity>, user: Id<User>) -> Result<(), Fault> {
    cx.erase_sealed_replies(user.uuid()).await?;
    origin::store::erase_secret(&mut cx.tx, user).await
}
