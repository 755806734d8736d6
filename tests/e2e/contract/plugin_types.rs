//! A plugin type that is known at run time only, as a scripting language would register it, beside a native one whose
//! phases depend on the configuration.

use std::sync::Arc;

use gatewayctl::{
    model::{PluginConfig, State},
    plugin::{
        BuildContext, BuildError, Ctx, DynPlugin, HookFuture, LocalReply, Phase, PhaseSet, Phases, Plugin,
        PluginDescriptor, PluginType, native,
        testing::{PluginHarness, request},
    },
    source::{DeError, Document, NodeId, from_node},
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Rig, Upstream, field, plain, status};

/// A script: it answers with the status and the text of its configuration.
struct ScriptType(PluginDescriptor);

struct Script {
    status: StatusCode,
    text: String,
}

impl ScriptType {
    fn boxed(name: String, priority: i32) -> Box<dyn PluginType> {
        let schema = || {
            schemars::json_schema!({
                "type": "object",
                "properties": { "status": { "type": "integer" }, "text": { "type": "string" } },
                "required": ["text"],
                "additionalProperties": false,
            })
        };
        Box::new(ScriptType(PluginDescriptor::new(name, priority, Arc::new(schema))))
    }
}

impl PluginType for ScriptType {
    fn descriptor(&self) -> &PluginDescriptor {
        &self.0
    }

    fn parse(&self, document: &Document, node: NodeId) -> Result<Arc<dyn PluginConfig>, DeError> {
        from_node::<Value>(document, node).map(|value| Arc::new(value) as Arc<dyn PluginConfig>)
    }

    fn build(
        &self,
        config: &dyn PluginConfig,
        _: &mut BuildContext<'_>,
    ) -> Result<Arc<dyn DynPlugin>, BuildError> {
        let config = config.json();
        let status = config["status"].as_u64().unwrap_or(200);
        let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.ok_or_else(|| BuildError::at("/status", "this is no status"))?;
        Ok(Arc::new(Script { status, text: config["text"].as_str().unwrap_or_default().to_owned() }))
    }
}

impl DynPlugin for Script {
    fn phases(&self) -> PhaseSet {
        PhaseSet::EMPTY.with(Phase::Access, true)
    }

    fn access<'a>(&'a self, _: Ctx<'a>) -> HookFuture<'a> {
        let plain = HeaderValue::from_static("text/plain");
        HookFuture::Ready(Err(LocalReply::bytes(self.status, plain, self.text.clone()).into()))
    }
}

#[test]
fn a_plugin_type_made_at_run_time_is_built_and_runs() {
    let script = ScriptType::boxed("script-1".to_owned(), 10);
    let harness = PluginHarness::with_type(&*script, Arc::new(json!({"text": "hello"})), State::default());
    let reply = harness.expect("settings are valid").reply(&mut request("GET", "/", &[], ""));
    assert_eq!(reply.status, StatusCode::OK);
    let refused = PluginHarness::with_type(&*script, Arc::new(json!({"status": 7})), State::default());
    assert_eq!(refused.err().expect("refused").pointer, "/status");
}

#[tokio::test]
async fn a_plugin_type_made_at_run_time_serves_requests() {
    let registry = super::registry([ScriptType::boxed("script-1".to_owned(), 10), native::<Marker>()]);
    let text = "_format_version: '3.0'\nservices:\n- name: s\n  url: http://127.0.0.1:9\n  routes:\n  \
                - {name: r, paths: [/], plugins: [{name: script-1, config: {status: 203, text: hello}}]}\n";
    let rig = Rig::of_plugins(text, registry, &[plain()]);
    let answer = rig.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!((status(&answer), answer.ends_with("hello")), (203, true), "{answer}");
}

/// Marks responses, if it is configured to.
struct Marker {
    is_on: bool,
}

#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct MarkerConfig {
    marks: bool,
}

impl Plugin for Marker {
    const NAME: &'static str = "marker";
    const PRIORITY: i32 = 20;
    const PHASES: Phases<Self> = Phases { header_filter: Some(Self::header_filter), ..Phases::NONE };
    type Config = MarkerConfig;

    fn build(config: MarkerConfig, _: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        Ok(Marker { is_on: config.marks })
    }

    fn phases(&self) -> PhaseSet {
        Self::PHASES.set().with(Phase::HeaderFilter, self.is_on)
    }
}

impl Marker {
    fn header_filter(&self, ctx: Ctx<'_>) {
        assert!(self.is_on, "an instance whose phases do not include the header filter");
        ctx.exchange.response.headers.insert("marked", HeaderValue::from_static("yes"));
    }
}

#[test]
fn phases_belong_to_the_instance() {
    let marked = |config: Value| {
        let harness = PluginHarness::new::<Marker>(config, State::default()).expect("settings are valid");
        let mut exchange = request("GET", "/", &[], "");
        harness.header_filter(&mut exchange, StatusCode::OK, HeaderMap::new());
        exchange.response.headers.contains_key("marked")
    };
    assert!(marked(json!({"marks": true})));
    assert!(!marked(json!({"marks": false})));
}

#[tokio::test]
async fn one_chain_has_instances_with_different_phases() {
    let upstream = Upstream::echo().await;
    let text = format!(
        "_format_version: '3.0'\nservices:\n- name: s\n  url: http://{}\n  routes:\n  \
         - {{name: marked, paths: [/on], plugins: [{{name: marker, config: {{marks: true}}}}]}}\n  \
         - {{name: plain, paths: [/off]}}\nplugins:\n- {{name: marker, config: {{marks: false}}}}\n",
        upstream.address
    );
    let rig = Rig::of_plugins(&text, super::registry([native::<Marker>()]), &[plain()]);
    for (path, marked) in [("/on", Some("yes")), ("/off", None)] {
        let answer = rig.send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        assert_eq!((status(&answer), field(&answer, "marked")), (200, marked), "{answer}");
    }
}
