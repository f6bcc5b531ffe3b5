//! Tools of a version other than this one, for tests of what an update does.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_domain::{
    canonical::Value,
    manifest::Manifest,
    record::{EffectClass, PreviewOutcome},
};
use countersign_tools::{
    Assessment, Call, Facts, InputError, Ran, Registry, Tool,
    create_task::CreateTask,
    health::{Elsewhere, HealthCheck},
};

/// The task tool with another manifest; titles have at most so many characters.
struct ChangedTasks {
    manifest: Manifest,
    tool: CreateTask,
    most: usize,
}

/// Tasks as another version makes them, and the health check as this one does.
pub(crate) fn with_changed_tasks(most: usize) -> Registry {
    let tool = CreateTask::new().unwrap();
    let mut manifest = tool.manifest().clone();
    manifest.version = "2.0.0".to_owned();
    let changed = ChangedTasks { manifest, tool, most };
    let health = HealthCheck::new(Arc::new(Elsewhere)).unwrap();
    Registry::new([Arc::new(changed) as Arc<dyn Tool>, Arc::new(health)]).unwrap()
}

#[async_trait]
impl Tool for ChangedTasks {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn normalise(&self, input: Value) -> Result<Value, InputError> {
        let args = self.tool.normalise(input)?;
        let title = args
            .as_object()
            .and_then(|args| args.get("title"))
            .and_then(Value::as_str);
        if title.is_some_and(|title| title.chars().count() > self.most) {
            return Err(InputError::field(
                "title",
                "The title is longer than this version takes.",
            ));
        }
        Ok(args)
    }

    fn assess(&self, args: &Value, facts: &dyn Facts) -> Assessment {
        self.tool.assess(args, facts)
    }

    fn effect(&self, config: Option<&Value>) -> EffectClass {
        self.tool.effect(config)
    }

    async fn preview(&self, call: &Call<'_>) -> PreviewOutcome {
        self.tool.preview(call).await
    }

    async fn run(&self, call: &Call<'_>) -> Ran {
        self.tool.run(call).await
    }
}
