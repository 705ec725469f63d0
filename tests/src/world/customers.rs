//! Customers, and what partner says of them: the world speaks to identity's internal listener as partner does.

use proto::identity::v1 as pb;
use proto::identity::v1::identity_internal_service_client::IdentityInternalServiceClient;
use proto::partner::v1::partner_fact::Fact;
use proto::partner::v1::{Access, PartnerFact, PartnerKind, PartnershipStanding};
use tonic::Request;
use tonic::transport::Channel;
use uuid::Uuid;

use super::{World, authorized, connect};

/// A customer whose first global admin has a temporary password.
#[derive(Clone, Debug)]
pub struct Customer {
    /// The customer.
    pub customer_id: String,
    /// Its first domain.
    pub domain: String,
    /// Its first global admin.
    pub admin_user_id: String,
    /// What the admin signs in with.
    pub admin_sign_in_name: String,
    /// The admin's temporary password.
    pub temporary_password: String,
}

impl World {
    /// Identity's internal listener.
    pub async fn inside_identity(&self) -> IdentityInternalServiceClient<Channel> {
        IdentityInternalServiceClient::new(connect(self.addresses[0].internal).await)
    }

    /// A request of partner to identity.
    pub fn as_partner<M>(&self, message: M) -> Request<M> {
        authorized(&self.partner.keys().issue_service_token("identity", &self.clock), message)
    }

    /// A request of licensing to identity.
    pub fn as_licensing<M>(&self, message: M) -> Request<M> {
        authorized(&self.licensing.keys().issue_service_token("identity", &self.clock), message)
    }

    /// A valid preparation of a customer that nobody else has.
    pub fn preparation() -> pb::PrepareOrganizationRequest {
        let unique = Uuid::now_v7().simple().to_string();
        pb::PrepareOrganizationRequest {
            origin_id: Uuid::now_v7().to_string(),
            organization: Some(pb::NewOrganization {
                kind: pb::OrganizationKind::Customer.into(),
                name: "Contoso".to_owned(),
                country: "US".to_owned(),
                cloud: pb::Cloud::Global.into(),
                domain_prefix: format!("c{}", &unique[8..32]),
                admin_display_name: "Casey Customer".to_owned(),
                admin_name: "casey".to_owned(),
            }),
            maker_organization_id: Uuid::now_v7().to_string(),
            binding: Some(pb::SecretBinding {
                principal_id: Uuid::now_v7().to_string(),
                method: "/tandem.partner.v1.CustomerService/CreateCustomer".to_owned(),
                request_hash: vec![7; 32],
            }),
        }
    }

    /// A customer that has just been made.
    pub async fn customer(&self) -> Customer {
        self.customer_of(Self::preparation()).await
    }

    /// The organization of that preparation, made.
    pub async fn customer_of(&self, preparation: pb::PrepareOrganizationRequest) -> Customer {
        let mut identity = self.inside_identity().await;
        let (origin_id, binding) = (preparation.origin_id.clone(), preparation.binding.clone());
        let made = identity.prepare_organization(self.as_partner(preparation)).await;
        let made = made.expect("a valid preparation").into_inner();
        let confirm = pb::ConfirmOrganizationRequest { origin_id: origin_id.clone() };
        identity.confirm_organization(self.as_partner(confirm)).await.expect("what was prepared is confirmed");
        let reveal = pb::RevealSecretRequest { origin_id, binding };
        let secret = identity.reveal_secret(self.as_partner(reveal)).await.expect("a fresh secret").into_inner();
        let organization = made.organization.expect("an organization was made");
        Customer {
            customer_id: organization.organization_id,
            domain: organization.domains[0].clone(),
            admin_user_id: made.admin_user_id,
            admin_sign_in_name: made.admin_sign_in_name,
            temporary_password: secret.temporary_password,
        }
    }

    /// A relationship of a reseller with delegated admin, of the first epoch.
    pub fn access(customer_id: &str, partner_id: &str) -> Access {
        Access {
            customer_id: customer_id.to_owned(),
            partner_id: partner_id.to_owned(),
            kind: PartnerKind::Reseller.into(),
            active: true,
            delegated_admin: true,
            order_right: false,
            epoch: 1,
            decision_id: String::new(),
        }
    }

    /// Tells identity an access.
    pub async fn grant_access(&self, access: Access) {
        let fact = PartnerFact { version: access.epoch, fact: Some(Fact::Access(access)) };
        self.tell_identity(vec![fact]).await;
    }

    /// Tells identity whether a provider administers a reseller's organization.
    pub async fn grant_admin_access(&self, provider_id: &str, reseller_id: &str, granted: bool, version: i64) {
        let standing = PartnershipStanding {
            provider_id: provider_id.to_owned(),
            reseller_id: reseller_id.to_owned(),
            active: true,
            provider_admin_access: granted,
        };
        self.tell_identity(vec![PartnerFact { version, fact: Some(Fact::Partnership(standing)) }]).await;
    }

    /// Tells identity facts of partner.
    pub async fn tell_identity(&self, facts: Vec<PartnerFact>) {
        let request = self.as_partner(pb::ApplyPartnerFactsRequest { facts });
        self.inside_identity().await.apply_partner_facts(request).await.expect("the facts are taken");
    }

    /// A customer that the partner serves with delegated admin.
    pub async fn served_by(&self, partner_id: &str) -> Customer {
        let customer = self.customer().await;
        self.grant_access(Self::access(&customer.customer_id, partner_id)).await;
        customer
    }

    /// A valid request for a user of the customer with these roles.
    pub fn creation(customer: &Customer, roles: &[pb::Role]) -> pb::CreateUserRequest {
        pb::CreateUserRequest {
            customer_id: customer.customer_id.clone(),
            user: Some(pb::NewUser {
                display_name: "Uma User".to_owned(),
                first_name: "Uma".to_owned(),
                last_name: "User".to_owned(),
                sign_in_name: format!("u{}@{}", Uuid::now_v7().simple(), customer.domain),
                usage_location: "US".to_owned(),
                roles: roles.iter().map(|role| i32::from(*role)).collect(),
            }),
            request_id: Uuid::now_v7().to_string(),
            validate_only: false,
        }
    }
}
