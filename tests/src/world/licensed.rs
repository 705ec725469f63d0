//! What licensing is told by the services that own it, told by hand: customers, their users, partners and accesses.

use proto::identity::v1::identity_fact::Fact as FactOfIdentity;
use proto::identity::v1::{Cloud, IdentityFact, OrganizationFact, OrganizationKind, UserFact, organization, user_fact};
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::licensing_internal_service_client::LicensingInternalServiceClient;
use proto::licensing::v1::{
    ApplyIdentityFactsRequest, ApplyPartnerFactsRequest, ImportProductsRequest, LimitUnit, UpsertOfferRequest,
};
use proto::partner::v1::partner_fact::Fact as FactOfPartner;
use proto::partner::v1::{Access, PartnerFact, PartnerKind, PartnerStanding, PartnershipStanding, partner_standing};
use tonic::Status;
use uuid::Uuid;

use super::{PASSWORD, Registered, World, authorized, connect};

/// What a partner is given at a customer.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// As what the partner serves the customer.
    pub kind: PartnerKind,
    /// The customer is in its list.
    pub active: bool,
    /// Delegated admin.
    pub delegated_admin: bool,
    /// It may place orders.
    pub order_right: bool,
    /// Which change this is.
    pub epoch: i64,
}

impl Grant {
    /// A reseller who manages users and licenses.
    pub const RESELLER: Self =
        Self { kind: PartnerKind::Reseller, active: true, delegated_admin: true, order_right: false, epoch: 1 };
    /// A provider who places orders and manages nobody.
    pub const PROVIDER: Self =
        Self { kind: PartnerKind::Provider, active: true, delegated_admin: false, order_right: true, epoch: 1 };
    /// A direct partner who does both.
    pub const DIRECT: Self =
        Self { kind: PartnerKind::Direct, active: true, delegated_admin: true, order_right: true, epoch: 1 };
}

/// The header of the vendor's list.
pub const HEADER: &str =
    "Product_Display_Name,String_Id,GUID,Service_Plan_Name,Service_Plan_Id,Service_Plans_Included_Friendly_Names\n";

/// An id that nobody has.
pub fn fresh() -> String {
    Uuid::now_v7().to_string()
}

impl World {
    /// Tells licensing something as identity would.
    pub async fn tell_of_identity(&self, version: i64, facts: Vec<FactOfIdentity>) -> Result<(), Status> {
        let facts = facts.into_iter().map(|fact| IdentityFact { version, fact: Some(fact) }).collect();
        self.apply_identity_facts(facts).await
    }

    /// Delivers facts to licensing as identity.
    pub async fn apply_identity_facts(&self, facts: Vec<IdentityFact>) -> Result<(), Status> {
        let token = self.identity.keys().issue_service_token("licensing", &self.clock);
        let mut client = LicensingInternalServiceClient::new(connect(self.addresses[1].internal).await);
        client.apply_identity_facts(authorized(&token, ApplyIdentityFactsRequest { facts })).await.map(drop)
    }

    /// Tells licensing something as partner would.
    pub async fn tell_of_partner(&self, version: i64, facts: Vec<FactOfPartner>) -> Result<(), Status> {
        let facts = facts.into_iter().map(|fact| PartnerFact { version, fact: Some(fact) }).collect();
        self.apply_partner_facts(facts).await
    }

    /// Delivers facts to licensing as partner.
    pub async fn apply_partner_facts(&self, facts: Vec<PartnerFact>) -> Result<(), Status> {
        let token = self.partner.keys().issue_service_token("licensing", &self.clock);
        let mut client = LicensingInternalServiceClient::new(connect(self.addresses[1].internal).await);
        client.apply_partner_facts(authorized(&token, ApplyPartnerFactsRequest { facts })).await.map(drop)
    }

    /// A customer in a country.
    pub async fn told_customer(&self, country: &str) -> String {
        let customer_id = fresh();
        self.tell_customer(&customer_id, country).await;
        customer_id
    }

    /// Tells licensing of a customer.
    pub async fn tell_customer(&self, customer_id: &str, country: &str) {
        let fact = OrganizationFact {
            organization_id: customer_id.to_owned(),
            kind: OrganizationKind::Customer.into(),
            name: "Contoso".to_owned(),
            country: country.to_owned(),
            cloud: Cloud::Global.into(),
            state: organization::State::Active.into(),
            domains: Vec::new(),
        };
        self.tell_of_identity(1, vec![FactOfIdentity::Organization(fact)]).await.expect("a fact is taken over");
    }

    /// A fact about a user whose licenses can be used anywhere in Germany.
    pub fn user_fact(customer_id: &str, user_id: &str, name: &str) -> UserFact {
        UserFact {
            user_id: user_id.to_owned(),
            customer_id: customer_id.to_owned(),
            display_name: name.to_owned(),
            sign_in_name: format!("{user_id}@contoso.example"),
            sort_key: name.to_lowercase(),
            usage_location: "DE".to_owned(),
            state: user_fact::State::Active.into(),
        }
    }

    /// Users of a customer.
    pub async fn told_users(&self, customer_id: &str, count: usize) -> Vec<String> {
        let ids: Vec<String> = (0..count).map(|_| fresh()).collect();
        for some in ids.chunks(200) {
            let facts = some.iter().map(|id| FactOfIdentity::User(Self::user_fact(customer_id, id, "Uma User")));
            self.tell_of_identity(1, facts.collect()).await.expect("facts are taken over");
        }
        ids
    }

    /// What a partner may do at a customer.
    pub async fn told_access(&self, customer_id: &str, partner_id: &str, grant: Grant) {
        let access = Access {
            customer_id: customer_id.to_owned(),
            partner_id: partner_id.to_owned(),
            kind: grant.kind.into(),
            active: grant.active,
            delegated_admin: grant.delegated_admin,
            order_right: grant.order_right,
            epoch: grant.epoch,
            decision_id: String::new(),
        };
        self.tell_of_partner(grant.epoch, vec![FactOfPartner::Access(access)]).await.expect("a fact is taken over");
    }

    /// What a partner is. Its id in the vendor's network is answered.
    pub async fn told_partner(&self, partner_id: &str, kind: PartnerKind) -> String {
        let mpn_id = format!("m{}", Uuid::now_v7().simple());
        self.told_standing(partner_id, kind, &mpn_id, partner_standing::State::Active, 1).await;
        mpn_id
    }

    /// What a partner is, in full.
    pub async fn told_standing(
        &self,
        partner_id: &str,
        kind: PartnerKind,
        mpn_id: &str,
        state: partner_standing::State,
        version: i64,
    ) {
        let standing = PartnerStanding {
            partner_id: partner_id.to_owned(),
            kind: kind.into(),
            state: state.into(),
            mpn_id: mpn_id.to_owned(),
        };
        self.tell_of_partner(version, vec![FactOfPartner::Partner(standing)]).await.expect("a fact is taken over");
    }

    /// Whether a provider and a reseller work together.
    pub async fn told_partnership(&self, provider_id: &str, reseller_id: &str, active: bool, version: i64) {
        let partnership = PartnershipStanding {
            provider_id: provider_id.to_owned(),
            reseller_id: reseller_id.to_owned(),
            active,
            provider_admin_access: false,
        };
        self.tell_of_partner(version, vec![FactOfPartner::Partnership(partnership)])
            .await
            .expect("a fact is taken over");
    }

    /// A product that nobody else has, with one service plan.
    pub async fn product(&self, name: &str) -> String {
        let (product, plan) = (Uuid::new_v4().to_string(), Uuid::new_v4());
        let content = format!("{HEADER}{name},PART,{product},PLAN,{plan},Plan of {name}\n").into_bytes();
        let request = ImportProductsRequest { content, request_id: fresh(), validate_only: false };
        let mut catalog = CatalogServiceClient::new(self.to_licensing().await);
        catalog.import_products(authorized(&self.operator().await, request)).await.expect("an operator imports");
        product
    }

    /// A valid offer of a product, sold everywhere, 1 to 1,000 seats.
    pub fn offer_of(product_id: &str) -> UpsertOfferRequest {
        UpsertOfferRequest {
            offer_id: fresh(),
            product_id: product_id.to_owned(),
            name: "Harbor Mail".to_owned(),
            countries: Vec::new(),
            minimum_quantity: 1,
            maximum_quantity: 1_000,
            available: true,
            etag: String::new(),
            request_id: fresh(),
            validate_only: false,
            trial: false,
            limit_unit: LimitUnit::Unspecified.into(),
            limit: 0,
            parent_offer_ids: Vec::new(),
            product_family: String::new(),
            billing_cycles: Vec::new(),
            terms: Vec::new(),
        }
    }

    /// Lets the operator make an offer.
    pub async fn offer(&self, offer: UpsertOfferRequest) -> String {
        let mut catalog = CatalogServiceClient::new(self.to_licensing().await);
        let made = catalog.upsert_offer(authorized(&self.operator().await, offer)).await;
        made.expect("an operator makes offers").into_inner().offer.expect("an offer is answered").offer_id
    }

    /// A customer with its own global admin. Customers are made by partners; here an organization that registered itself
    /// becomes one by hand, because that story is another service's.
    pub async fn customer_with_admin(&self) -> Registered {
        let registered = self.register().await;
        let id: Uuid = registered.organization_id.parse().expect("an id");
        let mut tx = self.identity.db().await.write().await.expect("identity's database answers");
        tx.sql("UPDATE organizations SET kind = 'CUSTOMER' WHERE organization_id = $1")
            .bind(id)
            .execute()
            .await
            .expect("the organization becomes a customer");
        tx.commit().await.expect("a commit");
        let session = self.sign_in(&registered.admin_sign_in_name, PASSWORD).await;
        self.tell_customer(&registered.organization_id, "DE").await;
        Registered { session, ..registered }
    }
}
