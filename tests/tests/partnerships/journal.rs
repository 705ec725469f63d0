//! What the journal tells of partnerships, to whom, and what it never holds (C6, AS-111).

use proto::common::v1::AuditEntry;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{dump, token_of};

use super::{calls, canceling, declining, invitation, pair, removing, revoking};

/// The actions of one organization's journal, the oldest first, that are about these partnerships.
fn about<'e>(entries: &'e [AuditEntry], ids: &[&String]) -> Vec<&'e AuditEntry> {
    entries.iter().rev().filter(|entry| ids.contains(&&entry.target_id)).collect()
}

fn actions<'e>(entries: &[&'e AuditEntry]) -> Vec<&'e str> {
    entries.iter().map(|entry| entry.action.as_str()).collect()
}

#[rstest]
#[tokio::test]
async fn each_side_reads_what_it_did_and_no_link_stands_there(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let pair = pair(kind).await;
    let mut calls = calls(pair.world).await;
    let invited = calls.invite(pair.provider.token(), invitation()).await.unwrap();
    let (active, link) = (invited.partnership.unwrap().partnership_id, token_of(&invited.draft.unwrap().link));
    let request = calls.consent(&link).await;
    calls.accept(pair.reseller.token(), request.clone()).await.unwrap();
    calls.revoke(pair.reseller.token(), revoking(&active)).await.unwrap();
    calls.revoke(pair.reseller.token(), revoking(&active)).await.unwrap();
    calls.remove(pair.provider.token(), removing(&active)).await.unwrap();
    let (canceled, _) = pair.invite().await;
    calls.cancel(pair.provider.token(), canceling(&canceled)).await.unwrap();
    let (declined, link_to_decline) = pair.invite().await;
    calls.decline(pair.reseller.token(), declining(&link_to_decline)).await.unwrap();
    let ids = [&active, &canceled, &declined];

    let of_provider = pair.world.journal_of_partner(pair.provider.token()).await;
    let mine = about(&of_provider, &ids);
    let expected =
        ["ResellerInvited", "PartnershipRemoved", "ResellerInvited", "ResellerInvitationCanceled", "ResellerInvited"];
    assert_eq!(actions(&mine), expected);
    assert!(mine.iter().all(|entry| entry.actor_id == pair.provider.admin_user_id && entry.customer_id.is_empty()));
    assert!(mine.iter().all(|entry| entry.organization_id == pair.provider.organization_id));
    let changes = |entry: &AuditEntry| -> Vec<(String, String, String)> {
        entry.changes.iter().map(|c| (c.field.clone(), c.before.clone(), c.after.clone())).collect()
    };
    let line = |field: &str, before: &str, after: &str| (field.to_owned(), before.to_owned(), after.to_owned());
    assert!(changes(mine[0]).contains(&line("recipient_email", "", "rita@reseller.example")));
    let end = [line("state", "ACTIVE", "REMOVED"), line("attestation_accepted", "", "true")];
    assert_eq!(changes(mine[1]), end, "who attested what stands there");

    let of_reseller = pair.world.journal_of_partner(pair.reseller.token()).await;
    let theirs = about(&of_reseller, &ids);
    let expected = ["PartnershipAccepted", "ProviderAdminAccessRevoked", "PartnershipDeclined"];
    assert_eq!(actions(&theirs), expected, "withdrawing again changed nothing and stands nowhere");
    assert!(theirs.iter().all(|entry| entry.organization_id == pair.reseller.organization_id));
    assert_eq!(changes(theirs[1]), [line("provider_admin_access", "true", "false")]);

    let text = format!("{of_provider:?} {of_reseller:?}");
    let held = dump(&pair.world.partner.db().await).await;
    for secret in [&link, &link_to_decline] {
        assert!(!text.contains(secret.as_str()));
        assert_eq!(held.tables_with(secret.as_bytes()), Vec::<&str>::new());
    }
    assert!(!text.contains(&request.consent_hash));
}
