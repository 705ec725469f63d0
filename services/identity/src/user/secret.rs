//! A temporary password: made here, and forgotten here by whoever could still show it to somebody.

use base::{Fault, Id, Secret};
use service::Cx;

use super::{Credential, User};
use crate::password::temporary_digest;
use crate::{Identity, origin};

/// A new temporary password, and the credential that it is.
pub(crate) fn new_password(cx: &mut Cx<Identity>) -> (Secret<String>, Credential) {
    let password = cx.new_temporary_secret();
    let digest = temporary_digest(&cx.host().keys, password.expose());
    (password, Credential::temporary(digest, cx.now()))
}

/// The user's temporary password was used or replaced: nobody is shown it again, wherever it was kept for that.
pub(crate) async fn forget_secret(cx: &mut Cx<Identity>, user: Id<User>) -> Result<(), Fault> {
    cx.erase_sealed_replies(user.uuid()).await?;
    origin::store::erase_secret(&mut cx.tx, user).await
}
