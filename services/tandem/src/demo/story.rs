//! The story: two partners, a customer who authorizes both at once, and what each of them can do then.

use std::net::SocketAddr;

use base::Secret;
use proto::identity::v1 as identity;
use proto::licensing::v1 as licensing;
use proto::licensing::v1::license_result::Outcome;
use proto::licensing::v1::license_summary::Holding;
use proto::partner::v1 as partner;
use proto::partner::v1::PartnerKind;
use service::replay::new_request_id;

use super::clients::{Caller, Services};
use super::teller::Teller;
use crate::failure::Failure;

/// Everybody in the story chooses the same password.
const PASSWORD: &str = "plum violin drizzle gravel";
/// Seats that are ordered of the first product.
const SEATS: i32 = 25;
/// Seats that are ordered of each other product.
const SEATS_BESIDE: i32 = 5;
/// People who get licenses.
const USERS: usize = 10;
/// Those of them who get the second product too.
const USERS_OF_SECOND: usize = 4;
/// Products that are offered.
const PRODUCTS: i32 = 3;

/// A product that can be ordered.
struct Offered {
    offer_id: String,
    product_id: String,
    name: String,
}

/// A partner and its first global admin.
struct Party {
    caller: Caller,
    name: &'static str,
    id: String,
    mpn_id: String,
}

/// The customer and its first global admin.
struct Customer {
    caller: Caller,
    id: String,
    domain: String,
}

/// Plays it, and answers the last words.
pub(super) async fn play(
    addresses: [SocketAddr; 3],
    (operator, secret): (String, Secret<String>),
    catalog: Vec<u8>,
) -> Result<String, Failure> {
    let services = Services::connect(addresses).await?;
    let mut teller = Teller::default();

    teller.chapter("The operator signs in and imports the catalog");
    let operator = services.sign_up(&operator, &secret, PASSWORD).await?;
    let products = import(&operator, catalog, &teller).await?;

    teller.chapter("The operator takes a provider and a reseller in");
    let provider = onboard(&services, &operator, ("Northwind Distribution", PartnerKind::Provider), &teller).await?;
    let reseller = onboard(&services, &operator, ("Fabrikam Cloud", PartnerKind::Reseller), &teller).await?;

    teller.chapter("The provider invites the reseller, who accepts");
    join(&services, &provider, &reseller, &teller).await?;

    teller.chapter("The reseller makes a customer and invites it jointly with the provider");
    let customer = create(&services, &reseller, &teller).await?;
    let (invitation, token) = invite(&services, &reseller, &provider, &teller).await?;

    teller.chapter("The provider orders before the customer has accepted");
    let order = order_of(&products, &customer, &reseller);
    match provider.caller.order(order.clone()).await {
        Ok(_) => return Err(Failure::new("the order went through before the customer had accepted")),
        Err(refusal) => teller.tell(&format!("refused: {}: {}", refusal.reason, refusal.message)),
    }

    teller.chapter("The customer accepts: both become effective in one decision");
    accept(&services, &customer, &token, &teller).await?;
    steps(&reseller, &invitation, &teller).await?;
    for party in [&reseller, &provider] {
        teller.tell(&format!("{} now lists: {}", party.name, party.caller.customer_names().await?.join(", ")));
    }

    teller.chapter("The provider orders");
    let placed = provider.caller.order(order).await?;
    for subscription in &placed.subscriptions {
        let (name, quantity) = (&subscription.friendly_name, subscription.quantity);
        teller.tell(&format!("{quantity} seats of {name}, reseller of record {}", subscription.reseller_mpn_id));
    }

    teller.chapter("The reseller adds ten users and gives them licenses");
    let users = add_users(&reseller, &customer, &teller).await?;
    assign(&reseller, &customer, &users, &products[0], &teller).await?;
    assign(&reseller, &customer, &users[..USERS_OF_SECOND], &products[1], &teller).await?;
    summarize(&reseller, &customer, &users, &teller).await?;

    teller.chapter("The reseller removes the customer; delegated admin survives until the customer withdraws it");
    remove(&reseller, &customer, &teller).await?;
    Ok("\nThat was the whole story. Nothing of it is left on this machine.\n".to_owned())
}

async fn import(operator: &Caller, content: Vec<u8>, teller: &Teller) -> Result<Vec<Offered>, Failure> {
    let request = licensing::ImportProductsRequest { content, request_id: new_request_id(), validate_only: false };
    let report = operator.import(request).await?;
    teller.tell(&format!(
        "{} rows: {} products added, {} service plans, {} conflicts reported",
        report.rows,
        report.added_product_ids.len(),
        report.added_plans,
        report.conflict_count
    ));
    let products = operator.products(PRODUCTS).await?;
    if products.len() < usize::try_from(PRODUCTS).unwrap_or(usize::MAX) {
        return Err(Failure::new(format!("the demo needs a catalog of at least {PRODUCTS} products")));
    }
    let mut offered = Vec::with_capacity(products.len());
    for product in products {
        // An operator chooses the id of an offer, and may choose any.
        let offer_id = new_request_id();
        let offer = licensing::UpsertOfferRequest {
            offer_id: offer_id.clone(),
            product_id: product.product_id.clone(),
            name: product.name.clone(),
            minimum_quantity: 1,
            maximum_quantity: 300,
            available: true,
            request_id: new_request_id(),
            ..Default::default()
        };
        operator.offer(offer).await?;
        teller.tell(&format!("offered: {}", product.name));
        offered.push(Offered { offer_id, product_id: product.product_id, name: product.name });
    }
    Ok(offered)
}

async fn onboard(
    services: &Services,
    operator: &Caller,
    (name, kind): (&'static str, PartnerKind),
    teller: &Teller,
) -> Result<Party, Failure> {
    let (prefix, mpn_id) = match kind {
        PartnerKind::Provider => ("northwind", "5500001"),
        _ => ("fabrikam", "5500002"),
    };
    let request = partner::OnboardPartnerRequest {
        kind: kind.into(),
        name: name.to_owned(),
        country: "DE".to_owned(),
        domain_prefix: prefix.to_owned(),
        mpn_id: mpn_id.to_owned(),
        admin_display_name: format!("Admin of {name}"),
        admin_name: "admin".to_owned(),
        support_contact: Some(partner::SupportContact {
            email: format!("help@{prefix}.example"),
            ..Default::default()
        }),
        request_id: new_request_id(),
        ..Default::default()
    };
    let made = operator.onboard(request).await?;
    teller.tell(&format!("{name}: {} signs in and replaces the temporary password", made.admin_sign_in_name));
    let secret = Secret::new(made.temporary_password);
    let caller = services.sign_up(&made.admin_sign_in_name, &secret, PASSWORD).await?;
    let id = made.partner.unwrap_or_default().partner_id;
    Ok(Party { caller, name, id, mpn_id: mpn_id.to_owned() })
}

fn token_of(link: &str) -> String {
    link.split_once('#').map_or("", |(_, token)| token).to_owned()
}

async fn join(services: &Services, provider: &Party, reseller: &Party, teller: &Teller) -> Result<(), Failure> {
    let request = partner::InviteResellerRequest {
        recipient_email: "admin@fabrikam.example".to_owned(),
        request_id: new_request_id(),
        ..Default::default()
    };
    let draft = provider.caller.invite_reseller(request).await?.draft.unwrap_or_default();
    let token = token_of(&draft.link);
    let preview = services.preview_partnership(&token).await?;
    for consent in &preview.consents {
        teller.tell(&format!("shown before: {consent}"));
    }
    let request = partner::AcceptPartnershipRequest {
        token,
        consent: true,
        consent_hash: preview.consent_hash,
        request_id: new_request_id(),
        validate_only: false,
    };
    reseller.caller.accept_partnership(request).await?;
    teller.tell(&format!("{} and {} are partners", provider.name, reseller.name));
    Ok(())
}

async fn create(services: &Services, reseller: &Party, teller: &Teller) -> Result<Customer, Failure> {
    let request = partner::CreateCustomerRequest {
        name: "Contoso".to_owned(),
        domain_prefix: "contoso".to_owned(),
        admin_display_name: "Admin of Contoso".to_owned(),
        admin_name: "admin".to_owned(),
        request_id: new_request_id(),
        ..Default::default()
    };
    let made = reseller.caller.create_customer(request).await?;
    let customer = made.customer.unwrap_or_default();
    teller.tell(&format!("{} is a customer of {}", customer.name, reseller.name));
    let secret = Secret::new(made.temporary_password);
    let caller = services.sign_up(&made.admin_sign_in_name, &secret, PASSWORD).await?;
    Ok(Customer { caller, id: customer.customer_id, domain: customer.domain })
}

async fn invite(
    services: &Services,
    reseller: &Party,
    provider: &Party,
    teller: &Teller,
) -> Result<(String, String), Failure> {
    let request = partner::CreateInvitationRequest {
        provider_id: provider.id.clone(),
        recipient_email: "admin@contoso.example".to_owned(),
        request_id: new_request_id(),
        ..Default::default()
    };
    let created = reseller.caller.invite(request).await?;
    let (draft, invitation) = (created.draft.unwrap_or_default(), created.invitation.unwrap_or_default());
    reseller.caller.sent(&invitation.invitation_id).await?;
    teller.tell(&format!("the mail: {}", draft.subject));
    let token = token_of(&draft.link);
    for consent in services.preview_invitation(&token).await?.consents {
        teller.tell(&format!("asked: {consent}"));
    }
    Ok((invitation.invitation_id, token))
}

fn order_of(products: &[Offered], customer: &Customer, reseller: &Party) -> licensing::PlaceOrderRequest {
    let line = |(position, product): (usize, &Offered)| licensing::OrderLine {
        offer_id: product.offer_id.clone(),
        quantity: if position == 0 { SEATS } else { SEATS_BESIDE },
        friendly_name: product.name.clone(),
        ..Default::default()
    };
    licensing::PlaceOrderRequest {
        customer_id: customer.id.clone(),
        lines: products.iter().enumerate().map(line).collect(),
        reseller_mpn_id: reseller.mpn_id.clone(),
        request_id: new_request_id(),
        ..Default::default()
    }
}

async fn accept(services: &Services, customer: &Customer, token: &str, teller: &Teller) -> Result<(), Failure> {
    let preview = services.preview_invitation(token).await?;
    let request = partner::AcceptInvitationRequest {
        token: token.to_owned(),
        consent: true,
        consent_hash: preview.consent_hash,
        request_id: new_request_id(),
        validate_only: false,
    };
    for authorized in customer.caller.accept(request).await?.authorized {
        let admin = if authorized.delegated_admin { "delegated admin" } else { "no delegated admin" };
        let orders = if authorized.order_right { "may order" } else { "orders nothing" };
        teller.tell(&format!("{}: {admin}, {orders}", authorized.name));
    }
    Ok(())
}

async fn steps(reseller: &Party, invitation: &str, teller: &Teller) -> Result<(), Failure> {
    let shown = reseller.caller.invitation(invitation).await?;
    let acceptance = shown.acceptance.unwrap_or_default();
    for step in &acceptance.steps {
        teller.tell(&format!("step: {} {}", step.service, step.kind().as_str_name().trim_start_matches("KIND_")));
    }
    let state = acceptance.state().as_str_name().trim_start_matches("STATE_").to_owned();
    teller.tell(&format!("decision: {state}, delivered everywhere: {}", acceptance.delivered));
    Ok(())
}

async fn add_users(reseller: &Party, customer: &Customer, teller: &Teller) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::with_capacity(USERS);
    for number in 1..=USERS {
        let request = identity::CreateUserRequest {
            customer_id: customer.id.clone(),
            user: Some(identity::NewUser {
                display_name: format!("User {number:02}"),
                sign_in_name: format!("user{number:02}@{}", customer.domain),
                usage_location: "DE".to_owned(),
                ..Default::default()
            }),
            request_id: new_request_id(),
            validate_only: false,
        };
        ids.extend(reseller.caller.create_user(request).await?.user.map(|user| user.user_id));
    }
    teller.tell(&format!("{} users, each with a temporary password that is shown once", ids.len()));
    Ok(ids)
}

async fn assign(
    reseller: &Party,
    customer: &Customer,
    users: &[String],
    product: &Offered,
    teller: &Teller,
) -> Result<(), Failure> {
    let request = licensing::UpdateLicensesRequest {
        customer_id: customer.id.clone(),
        user_ids: users.to_vec(),
        assign: vec![licensing::LicenseToAssign { product_id: product.product_id.clone(), ..Default::default() }],
        request_id: new_request_id(),
        ..Default::default()
    };
    let results = reseller.caller.license(request).await?.results;
    let count = |outcome| results.iter().filter(|result| result.outcome() == outcome).count();
    teller.tell(&format!(
        "{}: {} changed, {} unchanged, {} failed",
        product.name,
        count(Outcome::Changed),
        count(Outcome::Unchanged),
        count(Outcome::Failed)
    ));
    Ok(())
}

async fn summarize(reseller: &Party, customer: &Customer, users: &[String], teller: &Teller) -> Result<(), Failure> {
    let request = licensing::SummarizeLicensesRequest {
        customer_id: customer.id.clone(),
        user_ids: users.to_vec(),
        ..Default::default()
    };
    for summary in reseller.caller.summarize(request).await?.summaries {
        let mark = match summary.holding() {
            Holding::All => "[x]",
            Holding::Some => "[-]",
            Holding::None | Holding::Unspecified => "[ ]",
        };
        let entitlement = summary.entitlement.unwrap_or_default();
        teller.tell(&format!(
            "{mark} {}: {} of the {} selected, {} of {} seats left",
            entitlement.product_name,
            summary.assigned_user_ids.len(),
            users.len(),
            entitlement.available,
            entitlement.total
        ));
    }
    Ok(())
}

async fn remove(reseller: &Party, customer: &Customer, teller: &Teller) -> Result<(), Failure> {
    let request = partner::RemoveCustomerRequest {
        customer_id: customer.id.clone(),
        attestation_accepted: true,
        request_id: new_request_id(),
        ..Default::default()
    };
    reseller.caller.remove_customer(request).await?;
    let left = reseller.caller.customer_names().await?.len();
    teller.tell(&format!("{} lists {left} customers", reseller.name));
    for partner in customer.caller.partners().await? {
        let serves = if partner.active { "serves the customer" } else { "serves it no more" };
        let admin = if partner.delegated_admin { "still has delegated admin" } else { "has no delegated admin" };
        teller.tell(&format!("the customer sees: {} {serves}, {admin}", partner.name));
    }
    Ok(())
}
