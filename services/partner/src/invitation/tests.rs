use base::country::Country;

use super::*;
use crate::organization::Cloud;

fn invitation(state: State) -> Invitation {
    Invitation {
        id: Id::random(),
        partner: Id::random(),
        provider: Some(Id::random()),
        customer: None,
        recipient_email: "gina@contoso.example".to_owned(),
        required_domain: String::new(),
        delegated_admin: true,
        provider_delegated_admin: false,
        state,
        subject: String::new(),
        body: String::new(),
        rotation: 2,
        acceptance: None,
        is_accepting: false,
        accepting_customer: None,
        expire_time: Timestamp::from_micros(10),
        accept_time: None,
        accepted_by: None,
        version: 4,
        create_time: Timestamp::from_micros(0),
    }
}

fn organization(kind: Kind, country: &str, cloud: Cloud) -> Organization {
    Organization {
        id: Id::random(),
        kind,
        name: "Contoso".to_owned(),
        country: Country::parse(country).unwrap(),
        cloud,
        domains: vec!["contoso.tandem.example".to_owned(), "contoso.example".to_owned()],
        version: 1,
    }
}

fn reason(checked: Result<(), Fault>) -> String {
    checked.map_or_else(|fault| fault.reason().to_owned(), |()| "FINE".to_owned())
}

#[test]
fn a_link_is_answered_while_it_is_the_present_one_of_an_open_invitation() {
    let check = |state, rotation, now| reason(invitation(state).check_link(rotation, Timestamp::from_micros(now)));
    assert_eq!(check(State::Draft, 2, 9), "FINE");
    assert_eq!(check(State::Sent, 2, 9), "FINE");
    assert_eq!(check(State::Sent, 1, 9), "INVITATION_CANCELED");
    assert_eq!(check(State::Sent, 2, 10), "INVITATION_EXPIRED");
    assert_eq!(check(State::Accepted, 2, 9), "INVITATION_ALREADY_USED");
    assert_eq!(check(State::Declined, 2, 9), "INVITATION_DECLINED");
    assert_eq!(check(State::Canceled, 2, 9), "INVITATION_CANCELED");
    assert_eq!(check(State::Invalidated, 2, 9), "PARTNERSHIP_NOT_ACTIVE");
    let single = Invitation { provider: None, ..invitation(State::Invalidated) };
    assert_eq!(reason(single.check_link(2, Timestamp::from_micros(9))), "INVITATION_INVALIDATED");
}

#[test]
fn a_change_is_of_what_was_seen_and_of_what_is_open() {
    let check = |state, version, now| reason(invitation(state).check_change(version, Timestamp::from_micros(now)));
    assert_eq!(check(State::Draft, None, 9), "FINE");
    assert_eq!(check(State::Sent, Some(4), 9), "FINE");
    assert_eq!(check(State::Sent, Some(3), 9), "ETAG_MISMATCH");
    assert_eq!(check(State::Sent, None, 10), "INVITATION_NOT_OPEN");
    assert_eq!(check(State::Accepted, Some(4), 9), "INVITATION_NOT_OPEN");
    assert_eq!(invitation(State::Sent).word(Timestamp::from_micros(10)), "EXPIRED");
    assert_eq!(invitation(State::Accepted).word(Timestamp::from_micros(10)), "ACCEPTED");
}

#[test]
fn the_customer_is_one_in_the_same_cloud_and_country_and_the_one_that_is_meant() {
    let partner = organization(Kind::Partner, "DE", Cloud::Global);
    let customer = organization(Kind::Customer, "DE", Cloud::Global);
    let any = invitation(State::Sent);
    assert_eq!(reason(any.check_customer(&partner, &customer)), "FINE");
    let other = |kind, country, cloud| reason(any.check_customer(&partner, &organization(kind, country, cloud)));
    assert_eq!(other(Kind::Partner, "DE", Cloud::Global), "TENANT_IS_CSP_PARTNER");
    assert_eq!(other(Kind::Customer, "FR", Cloud::Global), "REGION_MISMATCH");
    assert_eq!(other(Kind::Customer, "DE", Cloud::UsGovernment), "NOT_FOUND");
    let bound = Invitation { customer: Some(customer.id), ..any.clone() };
    assert_eq!(reason(bound.check_customer(&partner, &customer)), "FINE");
    let elsewhere = Invitation { customer: Some(Id::random()), ..any.clone() };
    assert_eq!(reason(elsewhere.check_customer(&partner, &customer)), "WRONG_TENANT");
    let domain = |text: &str| Invitation { required_domain: text.to_owned(), ..any.clone() };
    assert_eq!(reason(domain("contoso.example").check_customer(&partner, &customer)), "FINE");
    assert_eq!(reason(domain("mail.contoso.example").check_customer(&partner, &customer)), "WRONG_TENANT");
}

#[test]
fn consent_is_to_these_parties_under_these_names_and_to_this_scope() {
    let keys = ServiceKeys::random(&["partner"]).remove("partner").unwrap();
    let [partner, provider] = ["DE", "DE"].map(|country| organization(Kind::Partner, country, Cloud::Global));
    let asked = invitation(State::Sent);
    let hash = asked.consent_hash(&keys, (&partner, PartnerKind::Reseller), Some(&provider));
    assert_eq!(hash, asked.consent_hash(&keys, (&partner, PartnerKind::Reseller), Some(&provider)));
    let renamed = Organization { name: "Somebody Else".to_owned(), ..provider.clone() };
    let wider = Invitation { provider_delegated_admin: true, ..asked.clone() };
    let narrower = Invitation { delegated_admin: false, ..asked.clone() };
    let others = [
        asked.consent_hash(&keys, (&partner, PartnerKind::Reseller), Some(&renamed)),
        asked.consent_hash(&keys, (&renamed, PartnerKind::Reseller), Some(&provider)),
        wider.consent_hash(&keys, (&partner, PartnerKind::Reseller), Some(&provider)),
        narrower.consent_hash(&keys, (&partner, PartnerKind::Reseller), Some(&provider)),
        Invitation { provider: Some(Id::random()), ..asked.clone() }.consent_hash(
            &keys,
            (&partner, PartnerKind::Reseller),
            Some(&provider),
        ),
        asked.consent_hash(&keys, (&partner, PartnerKind::Provider), Some(&provider)),
        invitation(State::Sent).consent_hash(&keys, (&partner, PartnerKind::Reseller), Some(&provider)),
    ];
    assert!(others.iter().all(|other| *other != hash));
}

#[test]
fn the_sentences_name_everybody_and_everything_that_they_would_get() {
    let asked = invitation(State::Sent);
    let sentences = consents(&asked, ("Fabrikam", PartnerKind::Reseller), Some("Northwind")).join(" ");
    assert!(sentences.contains("Fabrikam may manage your users") && !sentences.contains("Northwind may"));
    assert!(sentences.contains("Northwind becomes your provider and may place orders"));
    let wider = Invitation { provider_delegated_admin: true, ..asked };
    assert!(
        consents(&wider, ("Fabrikam", PartnerKind::Reseller), Some("Northwind"))
            .join(" ")
            .contains("Northwind may manage your users")
    );
    let alone =
        |kind| consents(&Invitation { provider: None, ..invitation(State::Sent) }, ("Fabrikam", kind), None).join(" ");
    assert!(!alone(PartnerKind::Reseller).contains("orders"));
    assert!(alone(PartnerKind::Provider).contains("Fabrikam becomes your provider and may place orders"));
    assert!(alone(PartnerKind::Direct).contains("may place orders"));
}
