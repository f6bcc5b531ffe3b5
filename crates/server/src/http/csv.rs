//! The journal as rows for a spreadsheet: a view, not evidence.
//!
//! Text that others wrote stands in a program that runs formulas. A cell that could begin one is kept from it by an apostrophe, in
//! the middle too, where a spreadsheet that separates by something else would begin a cell; line breaks become spaces.

use countersign_domain::{
    Record,
    bundle::Profile,
    people::People,
    record::{
        Actor, Begin, Body, Decision, Evaluation, Holder, Kind, Proposal, Receipt, Release, Remark,
        Resolution, Rules, Stop, Supersede, Void, Withdraw,
    },
    wire::WireEntry,
};

/// The first line, behind the mark by which spreadsheets know UTF-8.
pub(super) fn head() -> String {
    let names = [
        "entry",
        "at",
        "kind",
        "about",
        "by",
        "says",
        "signed by a device",
        "record (this is a view, not evidence: countersign-verify checks the bundle)",
    ];
    format!("\u{feff}{}", line(&names.map(str::to_owned)))
}

/// One entry.
pub(super) fn row(entry: &WireEntry, profile: Profile, people: &People) -> String {
    let withheld = entry.kind.parse().is_ok_and(|kind: Kind| profile.withholds(kind));
    let (by, says) = match entry.record().filter(|_| !withheld) {
        Some(record) => told(&record, people).unwrap_or_default(),
        None if withheld => (String::new(), "(withheld)".to_owned()),
        None => (String::new(), "(not here)".to_owned()),
    };
    let signed = if entry.signature.is_some() { "yes" } else { "" };
    line(&[
        entry.seq.to_string(),
        entry.at.to_string(),
        entry.kind.clone(),
        entry.subject.clone(),
        by,
        says,
        signed.to_owned(),
        entry.digest.to_string(),
    ])
}

/// Who, and what.
fn told(record: &Record, people: &People) -> Option<(String, String)> {
    fn body<B: Body>(record: &Record) -> Option<B> {
        record.body().ok()
    }
    let server = || "server".to_owned();
    Some(match record.kind {
        Kind::Proposal => {
            let proposal: Proposal = body(record)?;
            let args = countersign_domain::canonical::to_vec(&proposal.args).ok()?;
            let args = String::from_utf8(args).ok()?;
            (proposal.proposer.name, format!("{} {args}", proposal.tool.id))
        }
        Kind::Evaluation => {
            let evaluation: Evaluation = body(record)?;
            (server(), evaluation.reason)
        }
        Kind::Decision => {
            let decision: Decision = body(record)?;
            let verdict = serde_json::to_value(decision.verdict).ok()?;
            let comment = decision
                .comment
                .map(|text| format!(": {text}"))
                .unwrap_or_default();
            let says = format!("{}{comment}", verdict.as_str().unwrap_or_default());
            (actor(Actor::User(decision.approver), people), says)
        }
        Kind::Void => (server(), body::<Void>(record)?.reason.code().to_owned()),
        Kind::Withdraw => {
            let withdraw: Withdraw = body(record)?;
            (actor(withdraw.by, people), withdraw.reason.unwrap_or_default())
        }
        Kind::Supersede => (server(), body::<Supersede>(record)?.reason),
        Kind::Begin => (
            holder(body::<Begin>(record)?.executor, people),
            "begins".to_owned(),
        ),
        Kind::Receipt => {
            let receipt: Receipt = body(record)?;
            (holder(receipt.executor, people), receipt.summary)
        }
        Kind::Resolution => {
            let word: Resolution = body(record)?;
            let what = if word.happened {
                "happened"
            } else {
                "did not happen"
            };
            let note = word.note.map(|note| format!(": {note}")).unwrap_or_default();
            (actor(Actor::User(word.by), people), format!("{what}{note}"))
        }
        Kind::Remark => {
            let remark: Remark = body(record)?;
            let says = if remark.answers.is_some() {
                "answers"
            } else {
                "asks"
            };
            (actor(remark.by, people), format!("{says}: {}", remark.text))
        }
        Kind::Stop => {
            let stop: Stop = body(record)?;
            let reason = stop
                .reason
                .map(|reason| format!(": {reason}"))
                .unwrap_or_default();
            (actor(Actor::User(stop.by), people), format!("stops{reason}"))
        }
        Kind::Release => (
            actor(Actor::User(body::<Release>(record)?.by), people),
            "releases".to_owned(),
        ),
        Kind::Rules => {
            let rules: Rules = body(record)?;
            let table = countersign_domain::canonical::to_vec(&rules.table).ok()?;
            (
                actor(Actor::User(rules.by), people),
                String::from_utf8(table).ok()?,
            )
        }
        Kind::Genesis
        | Kind::Member
        | Kind::Invite
        | Kind::Agent
        | Kind::Connection
        | Kind::Manifest
        | Kind::Enrol
        | Kind::Endorse
        | Kind::Revoke
        | Kind::Rotate
        | Kind::Refuse
        | Kind::Preview
        | Kind::Expire
        | Kind::Lapse
        | Kind::Erase => (String::new(), String::from_utf8(record.bytes().to_vec()).ok()?),
    })
}

fn actor(actor: Actor, people: &People) -> String {
    match actor {
        Actor::User(user) => people.members.get(&user).map_or_else(
            || user.to_string(),
            |person| format!("{} <{}>", person.name, person.email),
        ),
        Actor::Agent(agent) => people
            .agents
            .get(&agent)
            .map_or_else(|| agent.to_string(), |agent| agent.name.clone()),
        Actor::Server => "server".to_owned(),
    }
}

fn holder(holder: Holder, people: &People) -> String {
    match holder.device() {
        None => "server".to_owned(),
        Some(id) => people
            .devices
            .get(&id)
            .map_or_else(|| id.to_string(), |device| device.name.clone()),
    }
}

fn line(cells: &[String]) -> String {
    let cells: Vec<_> = cells.iter().map(|text| cell(text)).collect();
    format!("{}\r\n", cells.join(","))
}

/// Quoted (RFC 4180), and no formula wherever a spreadsheet lets a cell begin.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut begins = true;
    for c in text.chars() {
        let c = if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            ' '
        } else {
            c
        };
        if begins && matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '|' | '%') {
            out.push('\'');
        }
        // Space and quotes before it do not keep a formula from being one.
        begins = matches!(c, ',' | ';' | '|') || (begins && (c.is_whitespace() || matches!(c, '"' | '\'')));
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_a_formula_wherever_it_is_cut() {
        for (text, cell_text) in [
            ("=1+1", "\"'=1+1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("-2", "\"'-2\""),
            ("  +3", "\"  '+3\""),
            ("\t=1", "\" '=1\""),
            ("a\r\n=1", "\"a  =1\""),
            ("a;=1", "\"a;'=1\""),
            ("a\";=cmd|' /C calc'!A0", "\"a\"\";'=cmd|' /C calc'!A0\""),
            ("a,\"=1", "\"a,\"\"'=1\""),
            ("＝1", "\"'＝1\""),
            ("plain, text - and more", "\"plain, text - and more\""),
            ("x=1", "\"x=1\""),
        ] {
            assert_eq!(cell(text), cell_text, "{text:?}");
        }
    }

    #[test]
    fn the_first_line_says_that_it_is_no_evidence() {
        assert!(head().contains("this is a view, not evidence"));
    }
}
