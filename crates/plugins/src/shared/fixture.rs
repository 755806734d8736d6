//! Consumers and credentials for the tests of authentication plugins.

use http::StatusCode;
use uuid::Uuid;

use model::{Acl, Consumer, JwtSecret, KeyAuth, Ref, Row, State};
use plugin::{Exchange, LocalReply, LocalReplyBody};

/// Builder of a configuration with consumers and credentials. Ids count from 1 in the order in which entities are
/// added.
#[derive(Default)]
pub struct Fixture {
    state: State,
    last: u128,
}

impl Fixture {
    fn id(&mut self) -> Uuid {
        self.last += 1;
        Uuid::from_u128(self.last)
    }

    fn of(&self, username: &str) -> Ref<Consumer> {
        let ix = self.state.consumers.by_name(username).expect("the consumer is added first");
        Ref::new(self.state.consumers[ix].id())
    }

    pub fn consumer(mut self, username: &str, custom_id: Option<&str>) -> Self {
        let consumer = Consumer {
            id: self.id(),
            username: Some(username.to_owned()),
            custom_id: custom_id.map(str::to_owned),
            tags: None,
            created_at: 0,
            updated_at: 0,
            origin: None,
        };
        self.state.consumers.push(consumer);
        self
    }

    pub fn key(mut self, username: &str, key: &str, created_at: i64, ttl: Option<i64>) -> Self {
        let (id, consumer, key) = (self.id(), self.of(username), key.to_owned());
        self.state.keyauth_credentials.push(KeyAuth {
            id,
            consumer,
            key,
            ttl,
            tags: None,
            created_at,
            origin: None,
        });
        self
    }

    /// Adds a JWT credential: `material` is the secret for HMAC algorithms, otherwise the PEM public key.
    pub fn jwt(mut self, username: &str, key: &str, algorithm: &str, material: &str) -> Self {
        let (id, consumer) = (self.id(), self.of(username));
        let material = Some(material.to_owned());
        let is_mac = algorithm.starts_with("HS");
        let (secret, rsa_public_key) = if is_mac { (material, None) } else { (None, material) };
        self.state.jwt_secrets.push(JwtSecret {
            id,
            consumer,
            key: key.to_owned(),
            secret,
            rsa_public_key,
            algorithm: Some(algorithm.to_owned()),
            tags: None,
            created_at: 0,
            origin: None,
        });
        self
    }

    pub fn group(mut self, username: &str, group: &str) -> Self {
        let (id, consumer, group) = (self.id(), self.of(username), group.to_owned());
        self.state.acls.push(Acl { id, consumer, group, tags: None, created_at: 0, origin: None });
        self
    }

    pub fn build(self) -> State {
        self.state.indexed()
    }
}

/// Returns the value of a header as the upstream receives it.
pub fn sent<'a>(exchange: &'a Exchange, name: &str) -> Option<&'a str> {
    exchange.request.header(name)
}

/// Returns the status and the message of a reply.
pub fn status_and_message(reply: &LocalReply) -> (StatusCode, String) {
    let message = match &reply.body {
        LocalReplyBody::Message(message) => message.clone().unwrap_or_default(),
        LocalReplyBody::Json(value) => {
            value.get("message").and_then(|m| m.as_str()).map_or_else(|| value.to_string(), str::to_owned)
        }
        other => format!("{other:?}"),
    };
    (reply.status, message)
}
