//! What can be asked of workloads.

use std::collections::BTreeSet;

use base::{Fault, Id, Page, Secret, Seek, Timestamp};
use service::keys::{same, sha256};
use service::page_token::{self, Tokens};
use service::token::{ACCESS_TOKEN_LIFE, Claims, OnBehalfOf, PrincipalKind};
use service::{Caller, Cx, Fact, Operation};

use super::{Workload, shared_roles, store, unsuitable};
use crate::Identity;
use crate::names::DisplayName;
use crate::organization;
use crate::policy::{Permission, Target};
use crate::session::raise_floor;
use crate::user::{self, Role, User};

/// A workload and its new secret.
#[derive(Debug)]
pub struct WithSecret {
    pub(super) workload: Workload,
    pub(super) secret: Secret<String>,
}

/// Makes a workload.
#[derive(Debug)]
pub struct CreateWorkload {
    pub(super) display_name: DisplayName,
    pub(super) roles: BTreeSet<Role>,
}

impl Operation for CreateWorkload {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.WorkloadService/CreateWorkload";
    const PERMISSION: Permission = Permission::ManageWorkloads;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<WithSecret, Fault> {
        let organization = cx.organization()?;
        let found = organization::store::get(&mut cx.tx, organization).await?;
        let kind = found.ok_or_else(|| Fault::not_found("organization", organization))?.kind;
        if let Some(role) = unsuitable(&self.roles, kind) {
            let message = format!("a workload of this organization cannot hold {}", role.as_str());
            return Err(Fault::denied("ROLE_NOT_GRANTABLE", message).with("role", role.as_str()));
        }
        let secret = cx.new_token();
        let workload = Workload {
            id: cx.new_id(),
            organization,
            display_name: self.display_name.as_str().to_owned(),
            roles: self.roles.clone(),
            secret_digest: sha256(secret.expose().as_bytes()),
            secret_create_time: cx.now(),
            auth_version: 1,
            version: 1,
            create_time: cx.now(),
        };
        if !store::insert(&mut cx.tx, &workload).await? {
            return Err(Fault::already_exists(
                "WORKLOAD_NAME_TAKEN",
                format!("this organization has a workload named {}", workload.display_name),
            ));
        }
        cx.seal_reply(workload.id.uuid());
        cx.record(
            Fact::new("WorkloadCreated")
                .about("workload", workload.id.uuid())
                .change("display_name", "", &workload.display_name)
                .change("roles", "", words(&workload.roles)),
        );
        Ok(WithSecret { workload, secret })
    }
}

fn words(roles: &BTreeSet<Role>) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" ")
}

/// Lists the workloads of the caller's organization by name.
#[derive(Debug)]
pub struct ListWorkloads {
    pub(super) page_size: usize,
    pub(super) page_token: String,
    pub(super) start: Seek,
}

impl Operation for ListWorkloads {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.WorkloadService/ListWorkloads";
    const PERMISSION: Permission = Permission::ManageWorkloads;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<(Page<Workload>, Tokens), Fault> {
        let scope = cx.page_scope("");
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let organization = cx.organization()?;
        let page = store::list(&mut cx.tx, organization, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok((page, tokens))
    }
}

/// The workload, if it is the caller's organization's and as the caller saw it.
async fn own(cx: &mut Cx<Identity>, id: Id<Workload>, version: Option<i64>) -> Result<Workload, Fault> {
    let organization = cx.organization()?;
    let found = store::get(&mut cx.tx, id).await?.filter(|workload| workload.organization == organization);
    let workload = found.ok_or_else(|| Fault::not_found("workload", id))?;
    match version {
        Some(version) if version != workload.version => Err(changed_meanwhile()),
        _ => Ok(workload),
    }
}

fn changed_meanwhile() -> Fault {
    Fault::aborted("ETAG_MISMATCH", "the workload was changed meanwhile; read it again")
}

/// Replaces a workload's secret.
#[derive(Debug)]
pub struct RotateWorkloadSecret {
    pub(super) id: Id<Workload>,
    pub(super) version: Option<i64>,
}

impl Operation for RotateWorkloadSecret {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.WorkloadService/RotateWorkloadSecret";
    const PERMISSION: Permission = Permission::ManageWorkloads;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<WithSecret, Fault> {
        let workload = own(cx, self.id, self.version).await?;
        let secret = cx.new_token();
        let now = cx.now();
        if !store::set_secret(&mut cx.tx, &workload, &sha256(secret.expose().as_bytes()), now).await? {
            return Err(changed_meanwhile());
        }
        let id = workload.id.uuid();
        cx.erase_sealed_replies(id).await?;
        cx.seal_reply(id);
        raise_floor(cx, id, workload.auth_version + 1).await?;
        cx.record(Fact::new("WorkloadSecretRotated").about("workload", id));
        let workload = store::get(&mut cx.tx, workload.id).await?.ok_or_else(changed_meanwhile)?;
        Ok(WithSecret { workload, secret })
    }
}

/// Deletes a workload.
#[derive(Debug)]
pub struct DeleteWorkload {
    pub(super) id: Id<Workload>,
    pub(super) version: Option<i64>,
}

impl Operation for DeleteWorkload {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.WorkloadService/DeleteWorkload";
    const PERMISSION: Permission = Permission::ManageWorkloads;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<(), Fault> {
        let workload = own(cx, self.id, self.version).await?;
        if !store::delete(&mut cx.tx, &workload).await? {
            return Err(changed_meanwhile());
        }
        let id = workload.id.uuid();
        cx.erase_sealed_replies(id).await?;
        raise_floor(cx, id, i64::MAX).await?;
        cx.record(Fact::new("WorkloadDeleted").about("workload", id));
        Ok(())
    }
}

/// Exchanges a workload's secret for an access token.
#[derive(Debug)]
pub struct IssueToken {
    pub(super) id: Id<Workload>,
    pub(super) secret: Secret<String>,
    pub(super) on_behalf_of: Option<Id<User>>,
}

/// The token.
#[derive(Debug)]
pub struct Issued {
    pub(super) access_token: Secret<String>,
    pub(super) expire_time: Timestamp,
}

impl Operation for IssueToken {
    type Service = Identity;
    const METHOD: &'static str = "/tandem.identity.v1.WorkloadService/IssueToken";
    const PERMISSION: Permission = Permission::Anyone;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    fn named_target(&self, _: &Caller) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Cx<Identity>, (): &()) -> Result<Issued, Fault> {
        let failed = || Fault::unauthenticated("SIGN_IN_FAILED", "the workload, its secret or the user is wrong");
        let workload = store::get(&mut cx.tx, self.id).await?.ok_or_else(failed)?;
        if !same(&workload.secret_digest, &sha256(self.secret.expose().as_bytes())) {
            return Err(failed());
        }
        let user = match self.on_behalf_of {
            None => None,
            Some(id) => {
                let found = user::store::get(&mut cx.tx, id).await?;
                let mine =
                    |user: &User| user.organization == workload.organization && user.state == user::State::Active;
                Some(found.filter(mine).ok_or_else(failed)?)
            }
        };
        let organization = organization::store::get(&mut cx.tx, workload.organization).await?.ok_or_else(failed)?;
        let roles =
            user.as_ref().map_or_else(|| workload.roles.clone(), |user| shared_roles(&workload.roles, &user.roles));
        let now = cx.now();
        let expires_at = now + ACCESS_TOKEN_LIFE;
        let claims = Claims {
            subject: workload.id.uuid(),
            kind: PrincipalKind::Workload,
            organization: organization.id.uuid(),
            organization_kind: organization.kind.as_str().to_owned(),
            cloud: organization.cloud.as_str().to_owned(),
            roles: roles.iter().map(|role| role.as_str().to_owned()).collect(),
            auth_version: workload.auth_version,
            auth_time: workload.secret_create_time,
            session: None,
            must_change_password: false,
            on_behalf_of: user
                .as_ref()
                .map(|user| OnBehalfOf { user: user.id.uuid(), auth_version: user.auth_version }),
            issued_at: now,
            expires_at,
            token_id: cx.new_id::<Claims>().uuid(),
        };
        cx.erase_sealed_replies(workload.id.uuid()).await?;
        let mut fact =
            Fact::new("TokenIssued").about("workload", workload.id.uuid()).organization(organization.id.uuid());
        if let Some(user) = &user {
            fact = fact.change("on_behalf_of_user_id", "", user.id);
        }
        cx.record(fact);
        Ok(Issued { access_token: cx.service().sign(&claims)?, expire_time: expires_at })
    }
}
