//! The time before which a call is not to begin, as a person types it. Approved any time before, it waits until then.

use countersign_domain::{
    UnixMillis,
    fold::DEFAULT_LIFETIME,
    form::FieldError,
    people::People,
    record::{Risk, lifetime},
};

use crate::views::Words;

/// Its name in a request.
pub(crate) const FIELD: &str = "notBefore";

/// What was typed (RFC 3339; nothing: no time), as a time to come at which a request that lives until `expires_at` can still
/// begin. The tenant refuses the latter too, but knows nobody's clock to say it in.
pub(crate) fn read(
    text: &str,
    expires_at: UnixMillis,
    words: &Words<'_>,
) -> Result<Option<UnixMillis>, FieldError> {
    let wrong = |message: String| FieldError {
        name: FIELD.to_owned(),
        message,
    };
    if text.trim().is_empty() {
        return Ok(None);
    }
    let at: UnixMillis = text
        .trim()
        .parse()
        .map_err(|_| wrong("Give a day and a time, or leave it empty.".to_owned()))?;
    if at <= words.now {
        return Err(wrong(
            "That time has passed. Give a later one, or leave it empty.".to_owned(),
        ));
    }
    if at >= expires_at {
        let ends = words.time(expires_at);
        return Err(wrong(format!(
            "The request expires {ends}, before it may begin. Give an earlier time."
        )));
    }
    Ok(Some(at))
}

/// When a request made now would expire: the tenant says it in the end, and the risk that it finds counts.
pub(crate) fn end_of(people: &People, tool: &str, risk: Risk, now: UnixMillis) -> UnixMillis {
    let ruled = lifetime(&people.rules.table, tool, risk);
    now + ruled.map_or(DEFAULT_LIFETIME, |longest| longest.min(DEFAULT_LIFETIME))
}

/// As it stands in a form.
pub(crate) fn written(at: Option<UnixMillis>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}
