//! A tool's arguments as a form: one text for each argument, and the arguments that a filled-in form comes to. Pure.
//!
//! What a person has not touched stays as it was, byte for byte: a form can show what it could not have been typed into.
//! Whether the arguments will do is for the tool's own ingress to say; a form knows no more than the shape of each.

use std::collections::BTreeMap;

use crate::{
    canonical::{self, Object, Value},
    manifest::{CardField, Manifest, Shape},
    render::{flat, visible},
};

/// One argument, to be typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// The argument's name.
    pub name: String,
    /// For people, as on the card.
    pub label: String,
    /// What the tool's schema says of it.
    pub hint: Option<String>,
    pub input: Input,
    /// Without it there is no call.
    pub required: bool,
    /// Most characters, where the schema says so.
    pub longest: Option<u32>,
    /// What stands in it, in the form's own notation.
    pub text: String,
}

/// How an argument is typed. Each has one notation as text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// One line.
    Line,
    /// Several lines, as written.
    Text,
    /// One item on each line.
    Items,
    /// `name: value` on each line.
    Pairs,
    /// `yes`, `no`, or nothing.
    Flag,
    /// A whole number, or a decimal one such as `480.00`: never a float.
    Number,
    /// `2026-11-30`.
    Date,
    /// One of these, or nothing.
    Choice(Vec<String>),
    /// Anything else: JSON as it will be sent.
    Json,
}

/// What was typed cannot become an argument.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct FieldError {
    /// The argument's name.
    pub name: String,
    /// A sentence for people.
    pub message: String,
}

/// The form of a tool's arguments: those on the card in its order, then the others of the schema, then whatever else there
/// is.
pub fn fields(manifest: &Manifest, args: &Object) -> Vec<Field> {
    let properties = named(&manifest.schema, "properties").and_then(Value::as_object);
    let known = properties.into_iter().flat_map(Object::iter);
    let mut names: Vec<&str> = Vec::new();
    let card = manifest.card.iter().map(|field| field.arg.as_str());
    let on_card = card
        .filter(|name| args.get(name).is_some() || properties.is_some_and(|known| known.get(name).is_some()));
    for name in on_card
        .chain(known.map(|(name, _)| name))
        .chain(args.iter().map(|(name, _)| name))
    {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let field = |name: &str| {
        let schema = properties.and_then(|known| known.get(name));
        let card = manifest.card.iter().find(|field| field.arg == name);
        field(name, schema, card, args.get(name), is_required(manifest, name))
    };
    names.into_iter().map(field).collect()
}

/// The arguments that `entered` comes to, over those that the form was made of. What is not in `entered` is untouched.
///
/// # Errors
/// The first field that is needed and empty, or is not what its kind of input takes.
pub fn read(
    manifest: &Manifest,
    args: &Object,
    entered: &BTreeMap<String, String>,
) -> Result<Object, FieldError> {
    let mut made = Object::new();
    for field in fields(manifest, args) {
        let untouched = |text: &&String| lines_of(text) == lines_of(&field.text);
        let value = match entered.get(&field.name).filter(|text| !untouched(text)) {
            None => args.get(&field.name).cloned(),
            Some(text) => {
                let wrong = |message: String| FieldError {
                    name: field.name.clone(),
                    message,
                };
                parse(&field.input, &lines_of(text)).map_err(wrong)?
            }
        };
        match value {
            Some(value) => {
                made.insert(field.name, value);
            }
            None if field.required => {
                let message = format!("“{}” is needed.", field.label);
                return Err(FieldError {
                    name: field.name,
                    message,
                });
            }
            None => {}
        }
    }
    Ok(made)
}

fn field(
    name: &str,
    schema: Option<&Value>,
    card: Option<&CardField>,
    value: Option<&Value>,
    required: bool,
) -> Field {
    let shown = |text: &str| flat(&visible(text));
    let wanted = schema.map_or(Input::Json, |schema| input(schema, card.map(|card| card.shape)));
    let (input, text) = match value {
        None => (wanted, String::new()),
        Some(value) => fitting(wanted, value),
    };
    let string = |name: &str| schema.and_then(|schema| named(schema, name)?.as_str());
    let longest = schema.and_then(|schema| named(schema, "maxLength")?.as_integer());
    Field {
        name: name.to_owned(),
        label: shown(card.map_or(name, |card| &card.label)),
        hint: string("description").map(shown),
        input,
        required,
        longest: longest.and_then(|most| u32::try_from(most).ok()),
        text,
    }
}

/// The input in which a value can stand and be typed again, with its text there.
fn fitting(wanted: Input, value: &Value) -> (Input, String) {
    let wanted = match (&wanted, value) {
        // A control of one line would drop the breaks.
        (Input::Line | Input::Date, Value::String(text)) if text.contains(['\n', '\r']) => Input::Text,
        (Input::Choice(options), Value::String(text)) if !options.contains(text) => Input::Line,
        _ => wanted,
    };
    let one_item = |text: &str| !text.is_empty() && text.trim() == text && text.lines().count() == 1;
    match write(&wanted, value) {
        // One item as itself: the tool takes a list of it as well.
        Some(text) if wanted == Input::Items && value.as_str().is_some_and(one_item) => (wanted, text),
        // The empty text of an argument that is there stands for itself until it is touched.
        Some(text) if text.is_empty() || parse(&wanted, &text).as_ref() == Ok(&Some(value.clone())) => {
            (wanted, text)
        }
        // Words are typed as words.
        Some(text) if value.as_str().is_some() && wanted != Input::Json => (Input::Text, text),
        Some(_) | None => (Input::Json, json(value)),
    }
}

fn input(schema: &Value, shape: Option<Shape>) -> Input {
    let forms = alternatives(schema);
    let constants = forms
        .iter()
        .map(|form| named(form, "const")?.as_str().map(str::to_owned));
    if let Some(options) = constants
        .collect::<Option<Vec<_>>>()
        .filter(|all| !all.is_empty())
    {
        return Input::Choice(options);
    }
    let is = |form: &&Value, kind: &str| types(form).contains(&kind);
    let is_list =
        |form: &&Value| is(form, "array") && named(form, "items").is_some_and(|item| is(&item, "string"));
    if forms.iter().any(is_list) {
        return Input::Items;
    }
    let [form] = forms.as_slice() else {
        return Input::Json;
    };
    let options = named(form, "enum").and_then(Value::as_array);
    if let Some(options) = options {
        let words = options.iter().map(|option| option.as_str().map(str::to_owned));
        return words.collect::<Option<_>>().map_or(Input::Json, Input::Choice);
    }
    match types(form).as_slice() {
        ["boolean"] => Input::Flag,
        ["integer" | "number"] => Input::Number,
        ["object"] => Input::Pairs,
        ["string"] => match shape {
            Some(Shape::Text | Shape::Code) => Input::Text,
            Some(Shape::Date) => Input::Date,
            Some(
                Shape::Line | Shape::Recipients | Shape::Method | Shape::Url | Shape::Pairs | Shape::Flag,
            )
            | None => Input::Line,
        },
        _ => Input::Json,
    }
}

/// What a schema permits, one by one, without `null`: an argument that is not there is left out.
fn alternatives(schema: &Value) -> Vec<&Value> {
    let many = ["anyOf", "oneOf"]
        .iter()
        .find_map(|word| named(schema, word)?.as_array());
    let forms = many.map_or_else(|| vec![schema], |forms| forms.iter().collect());
    forms.into_iter().filter(|form| types(form) != ["null"]).collect()
}

fn types(schema: &Value) -> Vec<&str> {
    match named(schema, "type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => {
            let named = several.iter().filter_map(Value::as_str);
            named
                .filter(|kind| *kind != "null" || several.len() == 1)
                .collect()
        }
        Some(Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Object(_)) | None => Vec::new(),
    }
}

fn named<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema.as_object()?.get(name)
}

fn is_required(manifest: &Manifest, name: &str) -> bool {
    let required = named(&manifest.schema, "required").and_then(Value::as_array);
    required.is_some_and(|names| names.iter().any(|one| one.as_str() == Some(name)))
}

/// A value in the input's notation; `None` where it has none.
fn write(input: &Input, value: &Value) -> Option<String> {
    match (input, value) {
        (Input::Json, value) => Some(json(value)),
        (Input::Items, Value::Array(items)) => {
            let lines = items.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
            Some(lines.join("\n"))
        }
        (Input::Pairs, Value::Object(pairs)) => {
            let mut lines = Vec::new();
            for (name, value) in pairs.iter() {
                match value {
                    Value::String(value) => lines.push(format!("{name}: {value}")),
                    Value::Array(several) => {
                        for value in several {
                            lines.push(format!("{name}: {}", value.as_str()?));
                        }
                    }
                    Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Object(_) => return None,
                }
            }
            Some(lines.join("\n"))
        }
        (Input::Flag, Value::Bool(on)) => Some(if *on { "yes" } else { "no" }.to_owned()),
        (Input::Number, Value::Integer(number)) => Some(number.to_string()),
        (
            Input::Line | Input::Text | Input::Items | Input::Number | Input::Date | Input::Choice(_),
            Value::String(text),
        ) => Some(text.clone()),
        _ => None,
    }
}

/// What was typed; `None` for an argument that is left out.
fn parse(input: &Input, text: &str) -> Result<Option<Value>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let line = text.trim();
    let value = match input {
        Input::Text => Value::from(text),
        Input::Line | Input::Date if line.contains('\n') => {
            return Err("It has to be on one line.".to_owned());
        }
        Input::Line => Value::from(text),
        Input::Date => Value::from(line),
        Input::Items => {
            let items = text.lines().map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(Value::from).collect())
        }
        Input::Pairs => pairs(text)?,
        Input::Flag => match line {
            "yes" => Value::Bool(true),
            "no" => Value::Bool(false),
            _ => return Err("Say “yes” or “no”.".to_owned()),
        },
        Input::Number => {
            number(line).ok_or_else(|| "Write a number in digits, such as 480.00.".to_owned())?
        }
        Input::Choice(options) if options.iter().any(|option| option == line) => Value::from(line),
        Input::Choice(options) => return Err(format!("Choose one of {}.", options.join(", "))),
        Input::Json => {
            canonical::parse(text.as_bytes()).map_err(|error| format!("This is not JSON: {error}."))?
        }
    };
    Ok(Some(value))
}

/// A name that stands on several lines has several values.
fn pairs(text: &str) -> Result<Value, String> {
    let mut made = Object::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| {
            format!(
                "Write “name: value” on each line; “{}” has no colon.",
                flat(&visible(line))
            )
        })?;
        let (name, value) = (name.trim(), Value::from(value.strip_prefix(' ').unwrap_or(value)));
        let several = match made.remove(name) {
            None => value,
            Some(Value::Array(mut before)) => {
                before.push(value);
                Value::Array(before)
            }
            Some(before) => Value::Array(vec![before, value]),
        };
        made.insert(name, several);
    }
    Ok(Value::Object(made))
}

/// A whole number as itself, a decimal one as its own digits.
fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match digits.split_once('.') {
        Some((whole, cents)) => (is_digits(whole) && is_digits(cents)).then(|| Value::from(text)),
        None => {
            let number = is_digits(digits).then(|| text.parse().ok())??;
            let most = canonical::MAX_INTEGER.unsigned_abs();
            (i64::unsigned_abs(number) <= most).then_some(Value::Integer(number))
        }
    }
}

fn json(value: &Value) -> String {
    match canonical::to_vec_of_any_length(value) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // The value comes out of a record body, which is canonical: it has a canonical form.
        Err(error) => error.to_string(),
    }
}

/// A text with the line breaks of a text box, which knows one kind.
fn lines_of(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
