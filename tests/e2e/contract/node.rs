//! What a plugin does outside requests: endpoints of the admin API, and the certificate of a TLS handshake.

use std::sync::Arc;

use gatewayctl::{
    config::Catalog,
    model::State,
    net::tls::parse_certified_key,
    plugin::{
        AdminReply, AdminRequest, AdminRoute, BuildContext, BuildError, Handshake, Phases, Plugin, Registry,
        native, testing::PluginHarness,
    },
    proxy::Listener,
};
use http::StatusCode;
use rustls::sign::CertifiedKey;
use serde_json::json;

use crate::{
    admin::{Node, text},
    rig::*,
    tls::{connect, shown},
};

/// Names things for the admin API, and has a certificate for `plugin.test`.
struct Keeper {
    certificate: Arc<CertifiedKey>,
}

#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct KeeperConfig {}

impl Plugin for Keeper {
    const NAME: &'static str = "keeper";
    const PRIORITY: i32 = 50;
    const PHASES: Phases<Self> = Phases { certificate: Some(Self::certificate), ..Phases::NONE };
    const ADMIN_ROUTES: &'static [AdminRoute] =
        &[AdminRoute { path: "/keeper/:name", methods: &["DELETE", "GET", "POST"], handle }];
    type Config = KeeperConfig;

    fn build(_: KeeperConfig, _: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        let made = rcgen::generate_simple_self_signed(["plugin.test".to_owned()]).expect("a certificate");
        let parsed = parse_certified_key(&made.cert.pem(), &made.signing_key.serialize_pem());
        let certificate = Arc::new(parsed.map_err(|error| BuildError::at("", error.to_string()))?);
        Ok(Keeper { certificate })
    }
}

impl Keeper {
    fn certificate(&self, handshake: &Handshake<'_>) -> Option<Arc<CertifiedKey>> {
        (handshake.server_name == Some("plugin.test")).then(|| Arc::clone(&self.certificate))
    }
}

fn handle(request: &AdminRequest<'_>) -> AdminReply {
    if request.method == http::Method::DELETE {
        return AdminReply { status: StatusCode::NO_CONTENT, body: json!(null) };
    }
    let services = request.state.services.len();
    let body = json!({
        "name": request.parameters[0], "query": (request.query)("q"), "body": request.body, "services": services,
    });
    AdminReply { status: StatusCode::OK, body }
}

fn registry() -> Registry {
    super::registry([native::<Keeper>()])
}

#[tokio::test]
async fn a_plugin_has_endpoints_of_the_admin_api() {
    let config = "_format_version: '3.0'\nservices: [{name: s, url: 'http://127.0.0.1:9'}]\n";
    let catalog = Catalog::new(registry()).unwrap();
    let node = Node::with_catalog(text(config), &[], &[], catalog).await.unwrap();
    let expected = json!({"name": "a b", "query": "1", "body": {}, "services": 1});
    assert_eq!(node.get("/keeper/a%20b?q=1").await, (200, expected));
    let (status, posted) = node.post("/keeper/a", "application/json", r#"{"x": 1}"#).await;
    assert_eq!((status, &posted["body"]), (200, &json!({"x": 1})));
    assert_eq!(node.get("/keeper").await.0, 404);
}

#[test]
fn the_harness_selects_a_certificate() {
    let keeper = PluginHarness::new::<Keeper>(json!({}), State::default()).expect("settings are valid");
    assert!(keeper.certificate(Some("plugin.test")).is_some());
    assert!(keeper.certificate(Some("other.test")).is_none());
}

#[tokio::test]
async fn a_plugin_selects_the_certificate_of_a_handshake() {
    let text = "_format_version: '3.0'\nservices:\n- name: s\n  url: http://127.0.0.1:9\n  routes:\n  \
                - {name: r, paths: [/]}\nplugins:\n- {name: keeper}\n";
    let rig = Rig::of_plugins(text, registry(), &[Listener { tls: true, ..plain() }]);
    for (name, is_plugins) in [("plugin.test", true), ("other.test", false)] {
        let shown = shown(&connect(&rig, name, b"http/1.1").await);
        let holds = shown.windows("plugin.test".len()).any(|part| part == b"plugin.test");
        assert_eq!(holds, is_plugins, "{name}");
    }
}
