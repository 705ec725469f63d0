//! What the contract says about each method: who may reach it, how long it takes, how large it is, what it changes.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Fault;
use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, MessageDescriptor, MethodDescriptor, Value};

/// One method of the contract.
#[derive(Clone, Debug)]
pub struct Method {
    /// The path on the wire: `/package.Service/Method`.
    pub path: String,
    /// The method's own name.
    pub name: String,
    /// Callable without a token.
    pub public: bool,
    /// Changes nothing.
    pub reads: bool,
    /// The longest a call may take; `None` for streams.
    pub deadline: Option<Duration>,
    /// The largest request in bytes.
    pub request_bytes_max: usize,
    /// The services that may call it on an internal listener; none for what is served to everybody.
    pub internal_callers: Vec<String>,
    /// Callable with a temporary password.
    pub before_password_change: bool,
    /// The request carries a request_id.
    pub replayable: bool,
    /// The reply's shape.
    pub output: MessageDescriptor,
}

impl Method {
    /// Served on the internal listener only.
    pub fn is_internal(&self) -> bool {
        !self.internal_callers.is_empty()
    }
}

/// All methods by path.
#[derive(Debug)]
pub struct Contract(BTreeMap<String, Method>);

/// 5 s, 30 s for bulk calls.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(5);
/// For calls that carry many users or rows.
pub const DEADLINE_BULK: Duration = Duration::from_secs(30);
/// 1 MiB.
pub const REQUEST_BYTES_DEFAULT: usize = 1 << 20;
/// 4 MiB.
pub const REQUEST_BYTES_BULK: usize = 4 << 20;

impl Contract {
    /// Reads an encoded `FileDescriptorSet` with its custom options.
    pub fn decode(descriptors: &[u8]) -> Result<Self, Fault> {
        let pool = DescriptorPool::decode(descriptors)
            .map_err(|error| Fault::internal("the contract cannot be decoded").because(error))?;
        let policy = pool
            .get_extension_by_name("tandem.common.v1.policy")
            .ok_or_else(|| Fault::internal("the contract has no method policy"))?;
        let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        Ok(Self(methods.map(|method| read(&method, &policy)).map(|method| (method.path.clone(), method)).collect()))
    }

    /// The method of this path.
    pub fn method(&self, path: &str) -> Result<&Method, Fault> {
        self.0.get(path).ok_or_else(|| Fault::internal(format!("the contract has no method {path}")))
    }

    /// Every method in order of its path.
    pub fn methods(&self) -> impl Iterator<Item = &Method> {
        self.0.values()
    }
}

fn read(method: &MethodDescriptor, policy: &ExtensionDescriptor) -> Method {
    let options = method.options();
    let policy = options.get_extension(policy);
    let policy = policy.as_message();
    let number = |name| field(policy, name).and_then(|value| value.as_enum_number()).unwrap_or(0);
    let flag = |name| field(policy, name).and_then(|value| value.as_bool()).unwrap_or(false);
    let callers = field(policy, "internal_caller").and_then(|value| value.as_list().map(<[Value]>::to_vec));
    let callers = callers.unwrap_or_default().iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    // google.protobuf.MethodOptions.IdempotencyLevel: 1 is NO_SIDE_EFFECTS.
    let level = options.get_field_by_name("idempotency_level").and_then(|value| value.as_enum_number());
    Method {
        path: format!("/{}/{}", method.parent_service().full_name(), method.name()),
        name: method.name().to_owned(),
        public: flag("public"),
        reads: level == Some(1),
        deadline: match number("deadline") {
            3 => None,
            2 => Some(DEADLINE_BULK),
            _ => Some(DEADLINE_DEFAULT),
        },
        request_bytes_max: if number("size") == 2 { REQUEST_BYTES_BULK } else { REQUEST_BYTES_DEFAULT },
        internal_callers: callers,
        before_password_change: flag("before_password_change"),
        replayable: method.input().get_field_by_name("request_id").is_some(),
        output: method.output(),
    }
}

fn field(policy: Option<&DynamicMessage>, name: &str) -> Option<Value> {
    policy.and_then(|policy| policy.get_field_by_name(name)).map(std::borrow::Cow::into_owned)
}
