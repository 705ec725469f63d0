//! What can be asked of sessions.

use base::{Fault, Id, Secret};
use proto::identity::v1::{IdentityFact, PrincipalFloor, identity_fact};
use service::token::PrincipalKind;
use service::{Caller, Cx, Fact, Operation, Preparation, Principal};

use super::token::sign;
use super::{Opened, Session, digest, store};
use crate::organization::{self, Organization};
use crate::password::{Chosen, normalized_attempt, temporary_digest};
use crate::policy::{Permission, Target};
use crate::user::{self, Credential, User};
use crate::{Identity, workload};

/// Signs a user in.
#[derive(Debug)]
pub struct SignIn {
    pub(super) sign_in_key: String,
    pub(super) password: Secret<String>,
}

/// A user whose credential was verified, as they were then.
#[derive(Debug)]
pub struct Verified(User);

fn failed() -> Fault {
    Fault::unauthenticated("SIGN_IN_FAILED", "the name or the password is wrong")
}

impl Operation for SignIn {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.SessionService/SignIn";
    const PERMISSION: Permission = Permission::Anyone;
    type Prepared = Option<Verified>;

    fn target(&self) -> Target {
        Target::Nothing
    }

    fn named_target(&self, _: &Caller) -> Option<String> {
        Some(self.sign_in_key.clone())
    }

    async fn prepare(&self, preparation: &Preparation<'_, Identity>) -> Result<Option<Verified>, Fault> {
        let mut tx = preparation.host.db.snapshot().await?;
        let user = user::store::by_sign_in_key(&mut tx, &self.sign_in_key).await;
        tx.rollback().await;
        verify(preparation, user?, &self.password).await
    }

    async fn run(&self, cx: &mut Cx<Identity>, verified: &Option<Verified>) -> Result<Opened, Fault> {
        let Some(Verified(seen)) = verified else { return Err(failed()) };
        let user = user::store::get(&mut cx.tx, seen.id).await?.ok_or_else(failed)?;
        if user.state != user::State::Active || user.version != seen.version {
            return Err(failed());
        }
        if user.must_change_password() {
            user::forget_secret(cx, user.id).await?;
        }
        let opened = open(cx, &user).await?;
        cx.record(Fact::new("SignedIn").about("user", user.id.uuid()).organization(user.organization.uuid()).change(
            "must_change_password",
            "",
            user.must_change_password(),
        ));
        Ok(opened)
    }
}

/// Compares the password with whatever the user has, in the same time whether there is a user or not.
async fn verify(
    preparation: &Preparation<'_, Identity>,
    user: Option<User>,
    password: &Secret<String>,
) -> Result<Option<Verified>, Fault> {
    let host = preparation.host;
    let attempt = normalized_attempt(password.expose());
    let temporary = user.as_ref().is_some_and(|user| match &user.credential {
        Credential::Temporary { digest, expire_time } => {
            let given = temporary_digest(&host.keys, password.expose());
            service::keys::same(digest, &given) && host.clock.now() < *expire_time
        }
        Credential::Chosen { .. } => false,
    });
    let hash = user.as_ref().and_then(|user| match &user.credential {
        Credential::Chosen { password_hash } => Some(password_hash.as_str()),
        Credential::Temporary { .. } => None,
    });
    let chosen = match &attempt {
        Some(attempt) => host.service.hasher.verify(attempt, hash).await?,
        None => false,
    };
    Ok(user.filter(|_| temporary || chosen).map(Verified))
}

/// Opens a session for a user who has just proved who they are.
async fn open(cx: &mut Cx<Identity>, user: &User) -> Result<Opened, Fault> {
    let organization = organization_of(cx, user).await?;
    let id = cx.new_id();
    let session = Session::begin(id, user, cx.now());
    store::insert(&mut cx.tx, &session).await?;
    let refresh_token = match session.must_change_password {
        true => None,
        false => Some(new_refresh_token(cx, &session).await?),
    };
    let (access_token, access_token_expire_time) = sign(cx, &session, user, &organization)?;
    Ok(Opened { session, access_token, access_token_expire_time, refresh_token })
}

async fn new_refresh_token(cx: &mut Cx<Identity>, session: &Session) -> Result<Secret<String>, Fault> {
    let token = cx.new_token();
    let now = cx.now();
    store::insert_token(&mut cx.tx, &digest(token.expose()), session.id, now).await?;
    Ok(token)
}

async fn organization_of(cx: &mut Cx<Identity>, user: &User) -> Result<Organization, Fault> {
    let organization = organization::store::get(&mut cx.tx, user.organization).await?;
    organization.ok_or_else(|| Fault::internal(format!("user {} has no organization", user.id)))
}

/// The user who is calling; workloads have no password and no session.
fn calling_user(principal: &Principal) -> Result<Id<User>, Fault> {
    match principal.kind {
        PrincipalKind::User => Ok(Id::from_uuid(principal.id)),
        PrincipalKind::Workload => Err(Fault::denied("USER_REQUIRED", "a workload has no password and no session")),
    }
}

/// Tells every service that older tokens of the principal are refused, and answers after they know.
pub(crate) async fn raise_floor(cx: &mut Cx<Identity>, principal: uuid::Uuid, auth_version: i64) -> Result<(), Fault> {
    tell_floor(cx, principal, auth_version).await?;
    cx.answer_after_delivery();
    Ok(())
}

/// Tells every service that older tokens of the principal are refused.
pub(crate) async fn tell_floor(cx: &mut Cx<Identity>, principal: uuid::Uuid, auth_version: i64) -> Result<(), Fault> {
    cx.raise_floor(principal, auth_version).await?;
    let floor = PrincipalFloor { principal_id: principal.to_string(), auth_version };
    for destination in crate::clients::PEERS {
        let fact =
            IdentityFact { version: auth_version, fact: Some(identity_fact::Fact::PrincipalFloor(floor.clone())) };
        cx.tell(destination, principal, auth_version, &fact);
    }
    Ok(())
}

/// Replaces the caller's own password.
#[derive(Debug)]
pub struct ChangePassword {
    pub(super) current: Secret<String>,
    pub(super) new: Secret<String>,
}

/// The user as they were when the present password was verified, and the hash of the new one.
#[derive(Debug)]
pub struct Changing {
    user: User,
    password_hash: String,
}

impl Operation for ChangePassword {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.SessionService/ChangePassword";
    const PERMISSION: Permission = Permission::SignedIn;
    type Prepared = Option<Changing>;

    fn target(&self) -> Target {
        Target::Nothing
    }

    fn named_target(&self, caller: &Caller) -> Option<String> {
        caller.principal().map(|principal| principal.id.to_string())
    }

    async fn prepare(&self, preparation: &Preparation<'_, Identity>) -> Result<Option<Changing>, Fault> {
        let Some(principal) = preparation.caller.principal() else { return Ok(None) };
        let id = calling_user(principal)?;
        let mut tx = preparation.host.db.snapshot().await?;
        let user = user::store::get(&mut tx, id).await?;
        let organization = organization::store::get(&mut tx, Id::from_uuid(principal.organization_id)).await?;
        tx.rollback().await;
        let Some(Verified(user)) = verify(preparation, user, &self.current).await? else { return Err(failed()) };
        let name = organization.map(|organization| organization.name).unwrap_or_default();
        let local = user.sign_in_key.split('@').next().unwrap_or_default().to_owned();
        let chosen = Chosen::parse(self.new.expose(), &[&name, &local, &user.display_name])
            .map_err(|(reason, message)| Fault::field("new_password", reason, message))?;
        if normalized_attempt(self.current.expose()).is_some_and(|current| current.expose() == chosen.secret().expose())
        {
            return Err(Fault::field(
                "new_password",
                "PASSWORD_UNCHANGED",
                "is the present password; choose another one",
            ));
        }
        let password_hash = preparation.host.service.hasher.hash(chosen.secret()).await?;
        Ok(Some(Changing { user, password_hash }))
    }

    async fn run(&self, cx: &mut Cx<Identity>, changing: &Option<Changing>) -> Result<Opened, Fault> {
        let Some(Changing { user: seen, password_hash }) = changing else { return Err(failed()) };
        let now = cx.now();
        let credential = Credential::Chosen { password_hash: password_hash.clone() };
        if !user::store::set_credential(&mut cx.tx, seen, &credential, None, now).await? {
            return Err(failed());
        }
        let id = seen.id.uuid();
        store::end_all(&mut cx.tx, seen.id).await?;
        user::forget_secret(cx, seen.id).await?;
        let user = user::store::get(&mut cx.tx, seen.id).await?.ok_or_else(failed)?;
        raise_floor(cx, id, user.auth_version).await?;
        cx.record(Fact::new("PasswordChanged").about("user", id).change(
            "must_change_password",
            seen.must_change_password(),
            false,
        ));
        open(cx, &user).await
    }
}

/// Exchanges a refresh token for new tokens.
#[derive(Debug)]
pub struct RefreshSession {
    pub(super) digest: [u8; 32],
}

impl Operation for RefreshSession {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.SessionService/RefreshSession";
    const PERMISSION: Permission = Permission::Anyone;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    /// `None` when the token was used before, which is how a theft shows: its session ends with this call, which has to be
    /// committed, and every older access token of the user is refused everywhere. Other sessions refresh theirs.
    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Option<Opened>, Fault> {
        let invalid =
            || Fault::unauthenticated("REFRESH_TOKEN_INVALID", "the refresh token is not valid; sign in again");
        let (id, current) = store::token(&mut cx.tx, &self.digest).await?.ok_or_else(invalid)?;
        let session = store::get(&mut cx.tx, id).await?.ok_or_else(invalid)?;
        if !session.is_open(cx.now()) {
            return Err(invalid());
        }
        if !current || !store::use_token(&mut cx.tx, &self.digest).await? {
            store::end(&mut cx.tx, session.id).await?;
            let user = user::store::get(&mut cx.tx, session.user).await?.ok_or_else(invalid)?;
            let now = cx.now();
            let auth_version = user::store::raise_auth_version(&mut cx.tx, user.id, now).await?;
            raise_floor(cx, user.id.uuid(), auth_version).await?;
            cx.record(
                Fact::new("RefreshTokenReused")
                    .about("user", user.id.uuid())
                    .organization(user.organization.uuid())
                    .change("session", "OPEN", "ENDED"),
            );
            cx.refuse_after_commit(invalid());
            return Ok(None);
        }
        let user = user::store::get(&mut cx.tx, session.user).await?.ok_or_else(invalid)?;
        if user.state != user::State::Active {
            return Err(invalid());
        }
        let organization = organization_of(cx, &user).await?;
        let refresh_token = Some(new_refresh_token(cx, &session).await?);
        let (access_token, access_token_expire_time) = sign(cx, &session, &user, &organization)?;
        Ok(Some(Opened { session, access_token, access_token_expire_time, refresh_token }))
    }
}

/// Ends the caller's session, or all of them.
#[derive(Debug)]
pub struct SignOut {
    pub(super) all_sessions: bool,
}

impl Operation for SignOut {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.SessionService/SignOut";
    const PERMISSION: Permission = Permission::SignedIn;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<(), Fault> {
        let principal = cx.principal()?.clone();
        let id = calling_user(&principal)?;
        if self.all_sessions {
            let now = cx.now();
            store::end_all(&mut cx.tx, id).await?;
            let auth_version = user::store::raise_auth_version(&mut cx.tx, id, now).await?;
            raise_floor(cx, principal.id, auth_version).await?;
            cx.record(Fact::new("SignedOutEverywhere").about("user", principal.id));
        } else if let Some(session) = principal.session_id {
            store::end(&mut cx.tx, Id::from_uuid(session)).await?;
            cx.record(Fact::new("SignedOut").about("user", principal.id));
        }
        Ok(())
    }
}

/// Tells who the caller is.
#[derive(Debug)]
pub struct GetMe;

/// The caller.
#[derive(Debug)]
pub struct Me {
    pub(super) principal: Principal,
    pub(super) workload: bool,
    pub(super) display_name: String,
    pub(super) sign_in_name: String,
    pub(super) organization: Organization,
}

impl Operation for GetMe {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.SessionService/GetMe";
    const PERMISSION: Permission = Permission::SignedIn;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Me, Fault> {
        let principal = cx.principal()?.clone();
        let gone = || Fault::unauthenticated("UNAUTHENTICATED", "the access token is not valid");
        let organization =
            organization::store::get(&mut cx.tx, Id::from_uuid(principal.organization_id)).await?.ok_or_else(gone)?;
        let (workload, display_name, sign_in_name) = match principal.kind {
            PrincipalKind::User => {
                let user = user::store::get(&mut cx.tx, Id::from_uuid(principal.id)).await?.ok_or_else(gone)?;
                (false, user.display_name, user.sign_in_name)
            }
            PrincipalKind::Workload => {
                let found = workload::store::get(&mut cx.tx, Id::from_uuid(principal.id)).await?.ok_or_else(gone)?;
                (true, found.display_name, String::new())
            }
        };
        Ok(Me { principal, workload, display_name, sign_in_name, organization })
    }
}
