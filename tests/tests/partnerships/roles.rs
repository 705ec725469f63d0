//! Who may do what about partnerships: by kind of organization, kind of partner and role (D-02, D-05, C15, C31).

use proto::identity::v1::Role::{
    self, AdminAgent, BillingAdmin, GlobalAdmin, HelpdeskAgent, SalesAgent, UserManagementAdmin,
};
use proto::partner::v1 as pb;
use proto::partner::v1::PartnerKind::{Direct, Provider, Reseller};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, reason};

use super::{acceptance, calls, canceling, declining, invitation, pair, removing, revoking, sharing};

/// What there is to ask about.
struct Things {
    partnership_id: String,
    invited_id: String,
    link: String,
    consent_hash: String,
}

/// What every call answers the bearer of this token, in a fixed order; those that change something only try.
async fn answers(world: &World, token: &str, things: &Things) -> Vec<(&'static str, String)> {
    let mut calls = calls(world).await;
    let Things { partnership_id, invited_id, link, consent_hash } = things;
    let (validate_only, request_id) = (true, String::new());
    let invite = pb::InviteResellerRequest { validate_only, request_id: request_id.clone(), ..invitation() };
    let accept = pb::AcceptPartnershipRequest { validate_only, ..acceptance(link, consent_hash) };
    let decline = pb::DeclinePartnershipRequest { validate_only, ..declining(link) };
    let cancel = pb::CancelPartnershipInvitationRequest { validate_only, ..canceling(invited_id) };
    let revoke = pb::RevokeProviderAdminAccessRequest { validate_only, ..revoking(partnership_id) };
    let remove = pb::RemovePartnershipRequest { validate_only, request_id, ..removing(partnership_id) };
    vec![
        ("invite", reason(&calls.invite(token, invite).await)),
        ("cancel", reason(&calls.cancel(token, cancel).await)),
        ("accept", reason(&calls.accept(token, accept).await)),
        ("decline", reason(&calls.decline(token, decline).await)),
        ("get", reason(&calls.get(token, partnership_id).await)),
        ("shared", reason(&calls.shared(token, sharing(partnership_id)).await)),
        ("providers", reason(&calls.providers(token, Default::default()).await)),
        ("resellers", reason(&calls.resellers(token, Default::default()).await)),
        ("revoke", reason(&calls.revoke(token, revoke).await)),
        ("remove", reason(&calls.remove(token, remove).await)),
    ]
}

/// What a role may: whether it makes, whether it reads, whether it is a global admin's alone.
fn expected(roles: &[Role], call: &str, is_provider: bool) -> &'static str {
    let does = |allowed: &[Role]| roles.iter().any(|role| allowed.contains(role));
    let makes = does(&[GlobalAdmin, UserManagementAdmin, AdminAgent, SalesAgent]);
    let reads = makes || does(&[HelpdeskAgent]);
    let (is_allowed, of_this_kind) = match call {
        "invite" | "cancel" => (makes, is_provider),
        "accept" | "decline" => (makes, !is_provider),
        "get" | "shared" => (reads, true),
        "providers" => (reads, !is_provider),
        "resellers" => (reads, is_provider),
        "revoke" if !does(&[GlobalAdmin]) => return "GLOBAL_ADMIN_REQUIRED",
        "revoke" => (true, !is_provider),
        _ => (makes, true),
    };
    match (is_allowed, of_this_kind) {
        (false, _) => "ROLE_NOT_ALLOWED",
        (true, false) => "PARTNER_KIND_NOT_ALLOWED",
        (true, true) => "OK",
    }
}

#[rstest]
#[tokio::test]
async fn what_a_partner_user_may_do_about_partnerships_is_a_matter_of_roles_and_of_the_partner_s_kind(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let partnership_id = pair.join().await;
    // A link that the reseller could still accept is another provider's.
    let other = super::Pair::of(pair.world).await;
    let (_, link) = other.invite().await;
    let (invited_id, _) = pair.invite().await;
    let consent_hash = calls(pair.world).await.consent(&link).await.consent_hash;
    let things = Things { partnership_id, invited_id, link, consent_hash };
    let sets: [&[Role]; 8] = [
        &[GlobalAdmin],
        &[UserManagementAdmin],
        &[AdminAgent],
        &[SalesAgent],
        &[HelpdeskAgent],
        &[BillingAdmin],
        &[BillingAdmin, SalesAgent],
        &[],
    ];
    for roles in sets {
        for (partner, is_provider) in [(&pair.provider, true), (&pair.reseller, false)] {
            let person = pair.world.hire(partner, roles).await;
            for (call, told) in answers(pair.world, &person.session.access_token, &things).await {
                assert_eq!(told, expected(roles, call, is_provider), "{call} by {roles:?} of {partner:?}");
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn partnerships_are_between_providers_and_resellers_and_nobody_else_s(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let pair = pair(kind).await;
    let world = pair.world;
    let partnership_id = pair.join().await;
    let (invited_id, link) = pair.invite().await;
    let consent_hash = calls(world).await.consent(&link).await.consent_hash;
    let things = Things { partnership_id, invited_id, link, consent_hash };
    let direct = world.onboard(Direct).await;
    let applicant = world.register().await;
    let tenant = world.create_customer(&pair.reseller).await;
    let operator = world.operator().await;
    let expected = [
        (direct.token(), "PARTNER_KIND_NOT_ALLOWED"),
        (applicant.token(), "NOT_A_PARTNER"),
        (tenant.token(), "ORGANIZATION_KIND_NOT_ALLOWED"),
        (operator.as_str(), "ORGANIZATION_KIND_NOT_ALLOWED"),
    ];
    for (token, expected) in expected {
        for (call, told) in answers(world, token, &things).await {
            assert_eq!(told, expected, "{call}");
        }
    }
    // Another provider and another reseller are of the right kind, and see none of it.
    for what in [Provider, Reseller] {
        let stranger = world.onboard(what).await;
        for (call, told) in answers(world, stranger.token(), &things).await {
            if matches!(call, "get" | "shared" | "remove") {
                assert_eq!(told, "NOT_FOUND", "{call}");
            }
        }
    }
}
