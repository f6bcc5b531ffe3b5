//! What one proposal asks for otherwise than another: argument by argument, line by line. For people; nothing signs it,
//! since the card of each has every argument that will run.

use super::{Pair, Span, Spans, lines, pairs, raw, shown, visible};
use crate::{
    UnixMillis,
    canonical::{Object, Value},
    manifest::Manifest,
    record::{Preview, PreviewOutcome, Proposal},
};

/// What has become of an argument, or of a line of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Change {
    Unchanged,
    Changed,
    Added,
    Removed,
}

/// One argument in both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    pub label: String,
    pub change: Change,
    /// The old lines and the new ones in one order; of a line never [`Change::Changed`].
    pub lines: Vec<DifferentLine>,
}

/// One line of an argument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DifferentLine {
    pub change: Change,
    pub text: Spans,
}

/// What `new` asks for otherwise than `old`: every argument of either, in the order of the card, and then the way out, the
/// tool's version and the scheduled time, as `time` says it, where they differ.
pub fn differences(
    manifest: &Manifest,
    old: &Proposal,
    new: &Proposal,
    time: impl Fn(UnixMillis) -> String,
) -> Vec<Difference> {
    let none = Object::new();
    let args = |proposal: &Proposal| proposal.args.as_object().unwrap_or(&none).clone();
    let mut found = argument_differences(manifest, &args(old), &args(new));
    let through = |proposal: &Proposal| proposal.connection.as_ref().map(|named| named.id.to_string());
    let more = [
        aside("Connection", through(old), through(new)),
        aside(
            "Version of the tool",
            Some(old.tool.version.clone()),
            Some(new.tool.version.clone()),
        ),
        schedule_difference(old.not_before, new.not_before, time),
    ];
    found.extend(more.into_iter().flatten());
    found
}

/// The time before which it is not to begin, as `time` says it, where it differs.
pub fn schedule_difference(
    old: Option<UnixMillis>,
    new: Option<UnixMillis>,
    time: impl Fn(UnixMillis) -> String,
) -> Option<Difference> {
    let exact = |at: UnixMillis| at.to_string();
    let said = (old.map(&time), new.map(&time));
    // Two times that read the same are told apart to the millisecond.
    let (old, new) = if said.0 == said.1 {
        (old.map(exact), new.map(exact))
    } else {
        said
    };
    aside("Not before", old, new)
}

/// What stands beside the arguments, where it differs.
fn aside(label: &str, old: Option<String>, new: Option<String>) -> Option<Difference> {
    let value = |text: Option<String>| text.map(Value::String);
    difference(label.to_owned(), value(old).as_ref(), value(new).as_ref())
        .filter(|one| one.change != Change::Unchanged)
}

/// What the one would do otherwise than the other though both ask for the same, where both could be looked at beforehand.
/// The id that each request carries to its target is no difference.
pub fn foreseen_difference(old: (&Proposal, &Preview), new: (&Proposal, &Preview)) -> Option<Difference> {
    if old.0.args != new.0.args {
        return None;
    }
    let (before, after) = (foreseen(old)?, foreseen(new)?);
    (before != after).then(|| Difference {
        label: "What it would do".to_owned(),
        change: Change::Changed,
        lines: compare(&before, &after),
    })
}

fn foreseen((proposal, preview): (&Proposal, &Preview)) -> Option<Vec<Spans>> {
    let PreviewOutcome::Shown { content } = &preview.outcome else {
        return None;
    };
    let own = proposal.id.to_string();
    let mut lines = named(content);
    for span in lines.iter_mut().flatten() {
        if let Span::Plain(text) = span {
            *text = text.replace(&own, "…");
        }
    }
    Some(lines)
}

/// The same of arguments alone.
pub fn argument_differences(manifest: &Manifest, old: &Object, new: &Object) -> Vec<Difference> {
    let card = manifest.card.iter().map(|field| field.arg.as_str());
    let mut names: Vec<&str> = Vec::new();
    for name in card
        .chain(old.iter().map(|(name, _)| name))
        .chain(new.iter().map(|(name, _)| name))
    {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let one = |name: &str| {
        let label = manifest.card.iter().find(|field| field.arg == name);
        let label = shown(label.map_or(name, |field| &field.label));
        difference(label, old.get(name), new.get(name))
    };
    names.into_iter().filter_map(one).collect()
}

/// `None` where neither has it.
fn difference(label: String, old: Option<&Value>, new: Option<&Value>) -> Option<Difference> {
    let change = match (old, new) {
        (None, None) => return None,
        (None, Some(_)) => Change::Added,
        (Some(_), None) => Change::Removed,
        (Some(old), Some(new)) if old == new => Change::Unchanged,
        (Some(_), Some(_)) => Change::Changed,
    };
    let of = |value: Option<&Value>| value.map(in_lines).unwrap_or_default();
    Some(Difference {
        label,
        change,
        lines: compare(&of(old), &of(new)),
    })
}

fn in_lines(value: &Value) -> Vec<Spans> {
    match value {
        Value::String(text) => lines(text),
        Value::Array(items) => items.iter().map(|item| visible(&raw(item))).collect(),
        Value::Object(_) => named(value),
        Value::Null | Value::Bool(_) | Value::Integer(_) => vec![visible(&raw(value))],
    }
}

/// A line for each name with its value.
fn named(value: &Value) -> Vec<Spans> {
    let line = |pair: Pair| {
        let mut line = pair.name;
        line.extend(visible(": "));
        line.extend(pair.value);
        line
    };
    pairs(value).into_iter().map(line).collect()
}

/// Beyond so many pairs of lines the two stand one behind the other: no person would follow a finer comparison.
const MOST_PAIRS: usize = 1 << 20;

/// The shortest way from one text to the other, by lines (longest common subsequence).
fn compare(old: &[Spans], new: &[Spans]) -> Vec<DifferentLine> {
    let line = |change: Change| {
        move |text: &Spans| DifferentLine {
            change,
            text: text.clone(),
        }
    };
    let same = |(a, b): &(&Spans, &Spans)| a == b;
    let before = old.iter().zip(new).take_while(same).count();
    let rest = (old.len() - before).min(new.len() - before);
    let after = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(rest)
        .take_while(same)
        .count();
    let (middle_old, middle_new) = (&old[before..old.len() - after], &new[before..new.len() - after]);
    let mut found: Vec<_> = old[..before].iter().map(line(Change::Unchanged)).collect();
    if middle_old.len().saturating_mul(middle_new.len()) > MOST_PAIRS {
        found.extend(middle_old.iter().map(line(Change::Removed)));
        found.extend(middle_new.iter().map(line(Change::Added)));
    } else {
        found.extend(shortest(middle_old, middle_new));
    }
    found.extend(old[old.len() - after..].iter().map(line(Change::Unchanged)));
    found
}

fn shortest(old: &[Spans], new: &[Spans]) -> Vec<DifferentLine> {
    let width = new.len() + 1;
    // How many lines the tails from (a, b) on have in common.
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for a in (0..old.len()).rev() {
        for b in (0..new.len()).rev() {
            common[a * width + b] = if old[a] == new[b] {
                common[(a + 1) * width + b + 1] + 1
            } else {
                common[(a + 1) * width + b].max(common[a * width + b + 1])
            };
        }
    }
    let (mut a, mut b, mut found) = (0, 0, Vec::new());
    while a < old.len() || b < new.len() {
        let both = a < old.len() && b < new.len();
        let (change, text) = if both && old[a] == new[b] {
            (Change::Unchanged, &old[a])
        } else if b == new.len() || (both && common[(a + 1) * width + b] >= common[a * width + b + 1]) {
            (Change::Removed, &old[a])
        } else {
            (Change::Added, &new[b])
        };
        a += usize::from(change != Change::Added);
        b += usize::from(change != Change::Removed);
        found.push(DifferentLine {
            change,
            text: text.clone(),
        });
    }
    found
}
