//! Customer users on the wire.

use base::{Fault, Id, Page, Seek};
use proto::channel::v1::{LicensingFact, ReleasedLicense as ReleasedLicenseFact, licensing_fact};
use proto::identity::v1 as pb;
use service::form::{etag, read_timestamp, timestamp};
use service::page_token::Tokens;
use service::{Form, Wire};

use super::ops::{ApplyLicensingFacts, CreateUser, DeleteUser, Deleted, GetUser, ListUsers, LookUpUsers, WithPassword};
use super::store::Filter;
use super::{NewUser, RESTORABLE, Released, ReleasedLicense, SELECTED_MAX, check_roles};
use crate::country::Country;
use crate::names::{DISPLAY_NAME_MAX, DisplayName, SIGN_IN_NAME_MAX, SignInName, sort_key};
use crate::session::{role_number, roles};
use crate::user::{self, State, User};

/// Users in one look-up at most.
const LOOK_UP_MAX: usize = 10_000;

impl Wire for CreateUser {
    type Request = pb::CreateUserRequest;
    type Response = pb::CreateUserResponse;
    type Reply = WithPassword;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        let user = new_user(&mut form, "user", &request.user.unwrap_or_default());
        form.finish(|| Some(Self { customer: customer?, user: user? }))
    }

    fn present(reply: WithPassword) -> Self::Response {
        pb::CreateUserResponse {
            user: Some(present(&reply.user)),
            temporary_password: reply.password.into_inner(),
            temporary_password_expire_time: reply.user.credential.expire_time().map(timestamp),
        }
    }
}

fn new_user(form: &mut Form, field: &str, request: &pb::NewUser) -> Option<NewUser> {
    let display_name = form.take(format!("{field}.display_name"), DisplayName::parse(&request.display_name));
    let first_name = optional_name(form, &format!("{field}.first_name"), &request.first_name);
    let last_name = optional_name(form, &format!("{field}.last_name"), &request.last_name);
    let sign_in_name = form.take(format!("{field}.sign_in_name"), SignInName::parse(&request.sign_in_name));
    let usage_location = location(form, &format!("{field}.usage_location"), &request.usage_location);
    let roles = roles(form, &format!("{field}.roles"), &request.roles);
    let held = form.take(format!("{field}.roles"), check_roles(&roles));
    held.and_then(|()| {
        Some(NewUser {
            display_name: display_name?,
            first_name: first_name?,
            last_name: last_name?,
            sign_in_name: sign_in_name?,
            usage_location: usage_location?,
            roles,
        })
    })
}

/// A name that may be left out.
fn optional_name(form: &mut Form, field: &str, text: &str) -> Option<Option<DisplayName>> {
    if text.trim().is_empty() { Some(None) } else { form.take(field, DisplayName::parse(text)).map(Some) }
}

/// A country that may be left out.
fn location(form: &mut Form, field: &str, text: &str) -> Option<Option<Country>> {
    if text.is_empty() { Some(None) } else { form.take(field, Country::parse(text)).map(Some) }
}

impl Wire for GetUser {
    type Request = pb::GetUserRequest;
    type Response = pb::GetUserResponse;
    type Reply = User;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        let id = form.id("user_id", &request.user_id);
        form.finish(|| Some(Self { customer: customer?, id: id? }))
    }

    fn present(user: User) -> Self::Response {
        pb::GetUserResponse { user: Some(present(&user)) }
    }
}

impl Wire for ListUsers {
    type Request = pb::ListUsersRequest;
    type Response = pb::ListUsersResponse;
    type Reply = (Page<User>, Tokens);

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        let page_size = form.page_size(request.page_size);
        let start = match pb::list_users_request::Seek::try_from(request.seek) {
            Ok(pb::list_users_request::Seek::Last) => Some(Seek::Last),
            Ok(_) => Some(Seek::First),
            Err(_) => {
                form.wrong("seek", "UNKNOWN_VALUE", "is not a seek");
                None
            }
        };
        let name = form.text("display_name_prefix", &request.display_name_prefix, 0..=DISPLAY_NAME_MAX);
        let sign_in = form.text("sign_in_name_prefix", &request.sign_in_name_prefix, 0..=SIGN_IN_NAME_MAX);
        let usage_location = location(&mut form, "usage_location", &request.usage_location);
        let is_within = form.within("user_ids", "selected_users_max", request.user_ids.len(), SELECTED_MAX);
        let selected = if is_within { ids(&mut form, "user_ids", &request.user_ids) } else { Vec::new() };
        form.finish(|| {
            let filter = Filter {
                name_prefix: sort_key(&name?),
                sign_in_prefix: sign_in?.to_ascii_lowercase(),
                usage_location: usage_location?,
                selected,
            };
            Some(Self {
                customer: customer?,
                filter,
                page_size: page_size?,
                page_token: request.page_token,
                start: start?,
            })
        })
    }

    fn present((page, tokens): Self::Reply) -> Self::Response {
        pb::ListUsersResponse {
            users: page.rows.iter().map(present).collect(),
            next_page_token: tokens.next,
            previous_page_token: tokens.previous,
        }
    }
}

/// Several ids.
fn ids(form: &mut Form, field: &str, texts: &[String]) -> Vec<Id<User>> {
    let read = |(at, text): (usize, &String)| form.id(format!("{field}[{at}]"), text);
    texts.iter().enumerate().filter_map(read).collect()
}

impl Wire for DeleteUser {
    type Request = pb::DeleteUserRequest;
    type Response = pb::DeleteUserResponse;
    type Reply = Deleted;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        let id = form.id("user_id", &request.user_id);
        let version = form.etag(&request.etag);
        form.finish(|| Some(Self { customer: customer?, id: id?, version }))
    }

    fn present(Deleted { user, deletion, seats_are_free }: Deleted) -> Self::Response {
        use pb::delete_user_response::Seats;
        let seats = if seats_are_free { Seats::Released } else { Seats::Pending };
        pb::DeleteUserResponse {
            user: Some(present(&user)),
            seats: seats.into(),
            delete_time: Some(timestamp(deletion.delete_time)),
            purge_time: Some(timestamp(deletion.delete_time + RESTORABLE)),
        }
    }
}

impl Wire for ApplyLicensingFacts {
    type Request = pb::ApplyLicensingFactsRequest;
    type Response = pb::ApplyLicensingFactsResponse;
    type Reply = ();

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        request.facts.iter().map(released).collect::<Result<_, _>>().map(Self)
    }

    fn present((): ()) -> Self::Response {
        pb::ApplyLicensingFactsResponse {}
    }
}

/// What a user held. A kind that is not known here is refused, so that whoever tells it keeps it for a later version.
fn released(told: &LicensingFact) -> Result<Released, Fault> {
    let Some(licensing_fact::Fact::ReleasedLicenses(released)) = &told.fact else {
        return Err(Fault::unimplemented("FACT_UNKNOWN", "this version does not know a fact, or a value in one"));
    };
    let license = |license: &ReleasedLicenseFact| {
        let excluded = license.excluded_service_plan_ids.iter().map(|plan| told_id::<()>(plan).map(Id::uuid));
        let time = license.assign_time.as_ref().and_then(read_timestamp);
        Ok(ReleasedLicense {
            product: told_id::<()>(&license.product_id)?.uuid(),
            product_name: license.product_name.clone(),
            excluded: excluded.collect::<Result<_, Fault>>()?,
            assign_time: time.ok_or_else(|| Fault::field("facts", "MALFORMED", "a fact lacks a time"))?,
        })
    };
    let licenses = released.licenses.iter().map(license).collect::<Result<_, Fault>>()?;
    Ok(Released { user: told_id(&released.user_id)?, user_version: told.version, licenses })
}

fn told_id<T>(text: &str) -> Result<Id<T>, Fault> {
    Id::parse(text).ok_or_else(|| Fault::field("facts", "MALFORMED", "an id in a fact is not a UUID with hyphens"))
}

impl Wire for LookUpUsers {
    type Request = pb::LookUpUsersRequest;
    type Response = pb::LookUpUsersResponse;
    type Reply = Vec<User>;

    fn parse(request: Self::Request) -> Result<Self, Fault> {
        let mut form = Form::default();
        let customer = form.id("customer_id", &request.customer_id);
        let count = request.user_ids.len();
        if count > LOOK_UP_MAX {
            form.wrong("user_ids", "TOO_LONG", format!("has {count} items; {LOOK_UP_MAX} are accepted"));
            return form.finish(|| None);
        }
        let users = ids(&mut form, "user_ids", &request.user_ids);
        form.finish(|| Some(Self { customer: customer?, users }))
    }

    fn present(users: Vec<User>) -> Self::Response {
        let versioned = |user: &User| pb::VersionedUser { version: user.version, user: Some(user::fact(user)) };
        pb::LookUpUsersResponse { users: users.iter().map(versioned).collect() }
    }
}

fn present(user: &User) -> pb::User {
    let state = match user.state {
        State::Active => pb::user::State::Active,
        State::Deleted => pb::user::State::Deleted,
    };
    pb::User {
        user_id: user.id.to_string(),
        customer_id: user.organization.to_string(),
        display_name: user.display_name.clone(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        sign_in_name: user.sign_in_name.clone(),
        usage_location: user.usage_location.map(|country| country.to_string()).unwrap_or_default(),
        roles: user.roles.iter().copied().map(role_number).collect(),
        state: state.into(),
        must_change_password: user.must_change_password(),
        create_time: Some(timestamp(user.create_time)),
        etag: etag(user.version),
    }
}
