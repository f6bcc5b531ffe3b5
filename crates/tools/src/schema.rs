//! JSON Schema: made from the typed input, checked at ingress with the field at fault named.

use countersign_domain::canonical::{self, Value};
use jsonschema::{ValidationError, error::ValidationErrorKind as Kind};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;

use crate::{InputError, RegistryError};

/// The schema of a typed input, in the canonical profile: no fractions.
///
/// # Errors
/// When the type's schema is outside the profile.
pub(crate) fn of<T: JsonSchema>() -> Result<Value, RegistryError> {
    let generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator();
    let text = serde_json::to_vec(&generator.into_root_schema_for::<T>())?;
    Ok(canonical::parse(&text)?)
}

/// Arguments as the typed input. They satisfy the schema already, so this does not fail on what the schema can say.
///
/// # Errors
/// When the arguments are not of that type.
pub(crate) fn typed<T: DeserializeOwned>(args: &Value) -> Result<T, InputError> {
    serde_json::from_value(json(args)?).map_err(|error| InputError::whole(error.to_string()))
}

/// A schema ready to check with.
#[derive(Debug)]
pub(crate) struct Schema(jsonschema::Validator);

impl Schema {
    /// # Errors
    /// When it is not a schema.
    pub(crate) fn compile(schema: &Value) -> Result<Self, RegistryError> {
        let schema = json(schema).map_err(|error| RegistryError::Schema(error.message))?;
        jsonschema::draft202012::new(&schema)
            .map(Self)
            .map_err(|error| RegistryError::Schema(error.to_string()))
    }

    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn check(&self, input: &Value) -> Result<(), InputError> {
        self.0.validate(&json(input)?).map_err(|error| explain(&error))
    }
}

fn json(value: &Value) -> Result<serde_json::Value, InputError> {
    serde_json::to_value(value).map_err(|error| InputError::whole(error.to_string()))
}

/// One sentence that names the field. The value itself is not repeated: it may be long, and it may be private.
fn explain(error: &ValidationError<'_>) -> InputError {
    let path = error.instance_path().as_str().trim_start_matches('/').to_owned();
    let named = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}/{name}")
        }
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the validator's list of keywords grows"
    )]
    let (field, problem) = match error.kind() {
        Kind::Required { property } => (
            named(property.as_str().unwrap_or_default()),
            "is needed".to_owned(),
        ),
        Kind::AdditionalProperties { unexpected } => (
            named(unexpected.first().map(String::as_str).unwrap_or_default()),
            "is not a field of this tool".to_owned(),
        ),
        Kind::MaxLength { limit } => (path, format!("is longer than {limit} characters")),
        Kind::MinLength { limit: 1 } | Kind::MinItems { limit: 1 } => (path, "must not be empty".to_owned()),
        Kind::MinLength { limit } => (path, format!("is shorter than {limit} characters")),
        Kind::MaxItems { limit } => (path, format!("has more than {limit} items")),
        Kind::MaxProperties { limit } => (path, format!("has more than {limit} entries")),
        Kind::Enum { options } => (path, format!("must be one of {options}")),
        Kind::Type { .. } => (path, "is not of the right type".to_owned()),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => (path, "is not of a permitted form".to_owned()),
        other => (
            path,
            format!("does not satisfy “{}” of the tool's schema", other.keyword()),
        ),
    };
    if field.is_empty() {
        InputError::whole(format!("The input {problem}."))
    } else {
        let message = format!("The field “{}” {problem}.", crate::text::line(&field, 100));
        InputError::field(crate::text::shorten(&field, 200), message)
    }
}
