//! `assistant.create_task`: a task in the tenant's own list.

use async_trait::async_trait;
use countersign_domain::{
    Millis,
    canonical::{Object, Value},
    manifest::{CardField, Idempotency, Manifest, Shape},
    record::{Effect, EffectClass, PreviewOutcome, Risk, TaskPriority},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Assessment, Call, Facts, InputError, Ran, RegistryError, Tool, schema};

/// Puts a task into the tenant's list. Its field names are the seed's.
#[derive(Debug)]
pub struct CreateTask {
    manifest: Manifest,
}

/// A task to be done.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Input {
    /// What is to be done, in one line.
    #[schemars(length(min = 1, max = 200))]
    title: String,
    /// More about it.
    #[schemars(length(max = 5000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Priority")]
    priority: Option<Priority>,
    /// A calendar date like 2026-11-30; of a full RFC 3339 time the date as written there is kept.
    #[schemars(length(max = 40))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    due_date: Option<String>,
}

/// How pressing it is.
#[derive(Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

impl CreateTask {
    /// The tool.
    ///
    /// # Errors
    /// When its schema is outside the canonical profile.
    pub fn new() -> Result<Self, RegistryError> {
        let field = |arg: &str, label: &str, shape| CardField {
            arg: arg.to_owned(),
            label: label.to_owned(),
            shape,
        };
        Ok(Self {
            manifest: Manifest {
                card: vec![
                    field("title", "Task", Shape::Line),
                    field("description", "Description", Shape::Text),
                    field("priority", "Priority", Shape::Line),
                    field("dueDate", "Due", Shape::Date),
                ],
                confirm: None,
                connection: None,
                description: "Puts a task into the tenant's own task list.".to_owned(),
                effect: EffectClass::Local,
                hold: Millis(0),
                id: "assistant.create_task".to_owned(),
                idempotency: Idempotency::None,
                money: false,
                risk: Risk::Medium,
                schema: schema::of::<Input>()?,
                sentence: "Create the task “{title}”".to_owned(),
                title: "Create Task".to_owned(),
                version: "1.0.0".to_owned(),
            },
        })
    }
}

#[async_trait]
impl Tool for CreateTask {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn normalise(&self, input: Value) -> Result<Value, InputError> {
        let input: Input = schema::typed(&input)?;
        let title = input.title.trim();
        if title.is_empty() {
            return Err(InputError::field("title", "A task needs a title."));
        }
        if title.chars().any(char::is_control) {
            return Err(InputError::field(
                "title",
                "A title is one line without control characters.",
            ));
        }
        let mut args = Object::new();
        args.insert("title", title);
        if let Some(description) = input.description.as_deref().map(str::trim)
            && !description.is_empty()
        {
            args.insert("description", description);
        }
        if let Some(priority) = input.priority {
            args.insert("priority", priority.name());
        }
        if let Some(due) = input.due_date.as_deref().map(str::trim)
            && !due.is_empty()
        {
            args.insert("dueDate", date(due)?);
        }
        Ok(args.into())
    }

    fn assess(&self, _args: &Value, _facts: &dyn Facts) -> Assessment {
        Assessment {
            risk: Risk::Medium,
            reasons: vec!["Everyone in the tenant will see the task.".to_owned()],
        }
    }

    async fn preview(&self, call: &Call<'_>) -> PreviewOutcome {
        match schema::typed::<Input>(call.args) {
            Ok(input) => {
                let line = format!(
                    "One new task, priority {}",
                    input.priority.unwrap_or_default().name()
                );
                let content = Object::from_iter([("Task list", Value::from(line))]);
                PreviewOutcome::Shown {
                    content: content.into(),
                }
            }
            Err(error) => PreviewOutcome::Unavailable {
                reason: error.message,
            },
        }
    }

    async fn run(&self, call: &Call<'_>) -> Ran {
        let input: Input = match schema::typed(call.args) {
            Ok(input) => input,
            Err(error) => return Ran::not_dispatched("invalid_input", error.message),
        };
        let result = Object::from_iter([
            ("taskId", Value::from(call.task.to_string())),
            ("title", Value::from(input.title.as_str())),
        ]);
        Ran::completed(format!("Created the task “{}”", input.title))
            .with_result(result)
            .with_effect(Effect::TaskCreated {
                description: input.description,
                due_date: input.due_date,
                id: call.task,
                priority: input.priority.unwrap_or_default().into(),
                title: input.title,
            })
    }
}

impl Priority {
    const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

impl From<Priority> for TaskPriority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Low => Self::Low,
            Priority::Normal => Self::Normal,
            Priority::High => Self::High,
        }
    }
}

/// The date of a calendar date or of an RFC 3339 time, in the time's own zone: the date that its writer meant.
fn date(text: &str) -> Result<String, InputError> {
    let wrong = || {
        InputError::field(
            "dueDate",
            "The field “dueDate” is not a date like 2026-11-30 or a time like 2026-11-30T09:00:00Z.",
        )
    };
    let (day, time) = match text.split_at_checked(10) {
        Some((day, time)) => (day, time),
        None => return Err(wrong()),
    };
    let parsed: jiff::civil::Date = day.parse().map_err(|_| wrong())?;
    if !time.is_empty() && text.parse::<jiff::Timestamp>().is_err() {
        return Err(wrong());
    }
    // jiff also reads other ISO 8601 spellings; only this one is kept.
    if parsed.to_string() == day {
        Ok(day.to_owned())
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unwrap_in_result, reason = "the error is the one under test")]
    fn normal(json: &str) -> Result<String, InputError> {
        let tool = CreateTask::new().unwrap();
        let input = countersign_domain::canonical::parse(json.as_bytes()).unwrap();
        tool.normalise(input)
            .map(|args| String::from_utf8(countersign_domain::canonical::to_vec(&args).unwrap()).unwrap())
    }

    #[test]
    fn white_space_around_and_empty_fields_go() {
        assert_eq!(
            normal(r#"{"title":"  Call Ada ","description":"  ","dueDate":" 2026-11-30 "}"#).as_deref(),
            Ok(r#"{"dueDate":"2026-11-30","title":"Call Ada"}"#)
        );
    }

    #[test]
    fn a_title_of_white_space_is_none() {
        assert_eq!(
            normal(r#"{"title":" \t "}"#).unwrap_err().field.as_deref(),
            Some("title")
        );
    }

    #[test]
    fn a_title_is_one_line() {
        assert!(
            normal(r#"{"title":"a\nb"}"#).is_err(),
            "a line break would forge a second line"
        );
    }

    #[test]
    fn the_date_of_a_time_is_the_one_its_writer_wrote() {
        for (given, kept) in [
            ("2026-11-30", "2026-11-30"),
            ("2026-11-30T23:30:00-08:00", "2026-11-30"),
            ("2026-11-30T09:00:00Z", "2026-11-30"),
            ("2028-02-29", "2028-02-29"),
        ] {
            assert_eq!(date(given).as_deref(), Ok(kept), "{given}");
        }
    }

    #[test]
    fn what_is_not_a_date_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2026-13-01",
            "2026-02-30",
            "30.11.2026",
            "2026-11-30T25:00:00Z",
            "20261130",
            "2026-11-30T09:00:00",
            "2026-11-30 nonsense",
            "+02026-11-3",
            "2026-1１-30",
        ] {
            assert!(date(text).is_err(), "{text:?}");
        }
    }
}
