//! The stage: a service, a thousand customers with a pool each, one whose pool many want, and one with many users.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use db::Db;
use proto::identity::v1::identity_fact::Fact as FactOfIdentity;
use proto::identity::v1::{Cloud, OrganizationFact, OrganizationKind, organization};
use proto::licensing::v1::license_result::Outcome;
use proto::licensing::v1::license_service_client::LicenseServiceClient;
use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use proto::licensing::v1::{
    GetUserLicensesRequest, LicenseToAssign, OrderLine, PlaceOrderRequest, UpdateLicensesRequest, UpsertOfferRequest,
};
use proto::partner::v1::partner_fact::Fact as FactOfPartner;
use proto::partner::v1::{Access, PartnerKind};
use tests::world::{Grant, World, authorized, fresh};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::{BATCH, CALLERS, HOT_CALLERS, POOLS};

/// A pool, and the users who get its seats.
pub(crate) struct Place {
    pub(crate) customer: Uuid,
    pub(crate) users: Vec<Uuid>,
    /// Which of them has one.
    pub(crate) held: Vec<AtomicBool>,
}

/// Customers with a pool each, one whose pool many want, and one with many users.
pub(crate) struct Stage {
    pub(crate) db: Db,
    channel: Channel,
    token: String,
    pub(crate) admin: Uuid,
    pub(crate) partner: Uuid,
    pub(crate) product: Uuid,
    places: Vec<Place>,
    pub(crate) hot: Place,
    /// Whose licenses are changed all at once.
    pub(crate) large: Place,
    next: AtomicUsize,
}

impl Stage {
    pub(crate) async fn set(world: &World) -> Self {
        let partner = world.register().await;
        world.told_partner(&partner.organization_id, PartnerKind::Direct).await;
        let product = world.product("Harbor Mail").await;
        let offer = world.offer(UpsertOfferRequest { maximum_quantity: 20_000, ..World::offer_of(&product) }).await;
        let customers: Vec<String> = (0..=POOLS).map(|_| fresh()).collect();
        let mut users: Vec<Vec<String>> = customers.iter().map(|_| vec![fresh()]).collect();
        users[POOLS] = (0..HOT_CALLERS).map(|_| fresh()).collect();
        for (some, theirs) in customers.chunks(100).zip(users.chunks(100)) {
            tell(world, &partner.organization_id, some, theirs).await;
        }
        let channel = world.to_licensing().await;
        let token = partner.session.access_token.clone();
        for some in customers.chunks(CALLERS) {
            let mut ordering = JoinSet::new();
            for customer in some {
                let order = PlaceOrderRequest {
                    customer_id: customer.clone(),
                    lines: vec![OrderLine { offer_id: offer.clone(), quantity: 100, ..Default::default() }],
                    request_id: fresh(),
                    ..Default::default()
                };
                let (mut shop, order) = (SubscriptionServiceClient::new(channel.clone()), authorized(&token, order));
                ordering.spawn(async move { shop.place_order(order).await.expect("a direct partner orders") });
            }
            ordering.join_all().await;
        }
        let place = |(customer, users): (&String, &Vec<String>)| Place {
            customer: id(customer),
            users: users.iter().map(|user| id(user)).collect(),
            held: users.iter().map(|_| AtomicBool::new(false)).collect(),
        };
        let mut places: Vec<Place> = customers.iter().zip(&users).map(place).collect();
        let hot = places.pop().expect("the last one is the hot one");
        let large = world.told_customer("DE").await;
        world.told_access(&large, &partner.organization_id, Grant::DIRECT).await;
        let order = PlaceOrderRequest {
            customer_id: large.clone(),
            lines: vec![OrderLine { offer_id: offer, quantity: 10_000, ..Default::default() }],
            request_id: fresh(),
            ..Default::default()
        };
        let mut shop = SubscriptionServiceClient::new(channel.clone());
        shop.place_order(authorized(&token, order)).await.expect("a direct partner orders");
        let large = place((&large, &world.told_users(&large, BATCH).await));
        Self {
            db: world.licensing.db().await,
            channel,
            token,
            admin: id(&partner.admin_user_id),
            partner: id(&partner.organization_id),
            product: id(&product),
            places,
            hot,
            large,
            next: AtomicUsize::new(0),
        }
    }

    /// The next of the thousand.
    pub(crate) fn next(&self) -> &Place {
        &self.places[self.next.fetch_add(1, Ordering::Relaxed) % POOLS]
    }

    /// Gives a user the license that they lack, or takes the one that they have.
    pub(crate) async fn call(&self, place: &Place, user: usize) {
        self.change(place, user..user + 1).await;
    }

    /// Gives some users, who lack it or have it all together, the license, or takes it.
    pub(crate) async fn change(&self, place: &Place, users: Range<usize>) {
        let had: Vec<bool> =
            place.held[users.clone()].iter().map(|held| held.fetch_xor(true, Ordering::Relaxed)).collect();
        let give = !had[0];
        let product = self.product.to_string();
        let mut request = UpdateLicensesRequest {
            customer_id: place.customer.to_string(),
            user_ids: place.users[users].iter().map(Uuid::to_string).collect(),
            request_id: fresh(),
            ..Default::default()
        };
        if give {
            request.assign = vec![LicenseToAssign { product_id: product, ..Default::default() }];
        } else {
            request.revoke_product_ids = vec![product];
        }
        let mut licenses = LicenseServiceClient::new(self.channel.clone());
        let answer = licenses.update_licenses(authorized(&self.token, request)).await.expect("the call is answered");
        let results = &answer.get_ref().results;
        assert_eq!(results.len(), had.len());
        assert!(results.iter().all(|result| result.outcome() == Outcome::Changed));
    }

    /// Looks at what one user has.
    pub(crate) async fn look(&self, place: &Place) {
        let request =
            GetUserLicensesRequest { customer_id: place.customer.to_string(), user_id: place.users[0].to_string() };
        let mut licenses = LicenseServiceClient::new(self.channel.clone());
        let answer = licenses.get_user_licenses(authorized(&self.token, request)).await.expect("the call is answered");
        assert_eq!(answer.get_ref().licenses.len(), usize::from(place.held[0].load(Ordering::Relaxed)));
    }
}

fn id(text: &str) -> Uuid {
    text.parse().expect("an id")
}

/// Tells licensing of customers, their users and what the partner may do there.
async fn tell(world: &World, partner_id: &str, customers: &[String], users: &[Vec<String>]) {
    let organization = |customer: &String| {
        FactOfIdentity::Organization(OrganizationFact {
            organization_id: customer.clone(),
            kind: OrganizationKind::Customer.into(),
            name: "Contoso".to_owned(),
            country: "DE".to_owned(),
            cloud: Cloud::Global.into(),
            state: organization::State::Active.into(),
            domains: Vec::new(),
        })
    };
    let access = |customer: &String| {
        FactOfPartner::Access(Access {
            customer_id: customer.clone(),
            partner_id: partner_id.to_owned(),
            kind: PartnerKind::Direct.into(),
            active: true,
            delegated_admin: true,
            order_right: true,
            epoch: 1,
            decision_id: String::new(),
        })
    };
    let people = customers.iter().zip(users).flat_map(|(customer, users)| {
        users.iter().map(move |user| FactOfIdentity::User(World::user_fact(customer, user, "Uma User")))
    });
    world.tell_of_identity(1, customers.iter().map(organization).collect()).await.expect("facts are taken over");
    world.tell_of_identity(1, people.collect()).await.expect("facts are taken over");
    world.tell_of_partner(1, customers.iter().map(access).collect()).await.expect("facts are taken over");
}
