//! Editing: another request in place of one that waits, or the same one again where it came to nothing. The tool's own form,
//! filled in by a person, is sent to the tenant as a proposal that supersedes or retries; policy is asked anew there. What is being typed is kept on this device until it is sent
//! or thrown away.

use std::collections::BTreeMap;

use countersign_domain::{
    UnixMillis,
    canonical::{Object, Value},
    form::{self, Field, FieldError},
    id::ProposalId,
    people::People,
    record::Mode,
    render::{self, Difference, Spans},
    wire::Propose,
};
use countersign_replica::Card;
use countersign_tools::IngressError;

use crate::{
    Engine, EngineError, ErrorCode, MAX_COMMENT,
    rules::{self, Viewer},
    schedule,
    seat::Seat,
    store::edits::{self, Typed},
    views::Words,
};

/// A proposal's arguments as a form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EditForm {
    pub id: ProposalId,
    /// It is over, and may be asked for again as it is.
    pub again: bool,
    /// What would happen, a sentence.
    pub sentence: Spans,
    pub fields: Vec<Field>,
    /// The person's own words to whoever decides; shown apart, unverified.
    pub note: String,
    /// The time before which it is not to begin (RFC 3339); empty: right after its approval. One that has passed says nothing.
    pub not_before: String,
    /// Something was typed before and kept.
    pub kept: bool,
    /// What sending it does, a sentence or two.
    pub consequence: String,
}

/// What a person has typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    pub id: ProposalId,
    /// By the argument's name. What is not in it is as it was.
    pub entered: BTreeMap<String, String>,
    pub note: String,
    /// As in the form; `None`: as it was.
    pub not_before: Option<String>,
}

/// What an edit comes to, before it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edited {
    /// What would happen, a sentence.
    pub sentence: Spans,
    /// Every argument, with what becomes of it, and the time where it differs.
    pub differences: Vec<Difference>,
    /// The field at fault, and what is wrong with it.
    pub problem: Option<FieldError>,
    /// Whether it asks for anything else than before.
    pub changed: bool,
}

impl Engine {
    /// The form of a proposal that waits or came to nothing, with what was typed into it before.
    ///
    /// # Errors
    /// When this person may not edit it, or it is not here or not open any more.
    pub async fn edit_form(&self, id: ProposalId) -> Result<EditForm, EngineError> {
        let seat = self.seat()?;
        let (card, people, again) = editable(&seat, id).await?;
        let account = seat.account.id;
        let kept = seat.store.read(move |db| edits::kept(db, account, id)).await?;
        let args = arguments(&card)?;
        let manifest = card.manifest.as_ref().ok_or_else(cannot_show)?;
        let mut fields = form::fields(manifest, args);
        for field in &mut fields {
            if let Some(text) = kept.as_ref().and_then(|kept| kept.entered.get(&field.name)) {
                field.text.clone_from(text);
            }
        }
        let time = kept.as_ref().and_then(|kept| kept.not_before.clone());
        Ok(EditForm {
            id,
            again,
            sentence: render::sentence(&manifest.sentence, args),
            fields,
            kept: kept.is_some(),
            not_before: time.unwrap_or_else(|| schedule::written(still_to_come(&card, &seat))),
            note: kept.map(|kept| kept.note).unwrap_or_default(),
            consequence: consequence(&card, &people, &seat, again),
        })
    }

    /// What the edit comes to. It is on this device's disk when this answers, and nobody else sees it.
    ///
    /// # Errors
    /// As [`Self::edit_form`].
    pub async fn draft_edit(&self, edit: Edit) -> Result<Edited, EngineError> {
        let seat = self.seat()?;
        let (card, people, again) = editable(&seat, edit.id).await?;
        let read = arguments_of(&seat, &card, &edit);
        let words = Words::new(&seat, &people);
        let (before, time) = (
            still_to_come(&card, &seat),
            time_of(&seat, &card, &edit, &words, again),
        );
        keep(&seat, edit).await?;
        let (manifest, old) = (card.manifest.as_ref().ok_or_else(cannot_show)?, arguments(&card)?);
        let (new, problem) = match read {
            Ok(new) => (new, None),
            Err((new, problem)) => (new.unwrap_or_else(|| old.clone()), Some(problem)),
        };
        let (after, late) = match time {
            Ok(after) => (after, None),
            Err(late) => (before, Some(late)),
        };
        let mut differences = render::argument_differences(manifest, old, &new);
        differences.extend(render::schedule_difference(before, after, |at| words.time(at)));
        Ok(Edited {
            sentence: render::sentence(&manifest.sentence, &new),
            differences,
            changed: new != *old || after != before,
            problem: problem.or(late),
        })
    }

    /// Throws away what was typed.
    ///
    /// # Errors
    /// When nobody is signed in, or the disk fails.
    pub async fn discard_edit(&self, id: ProposalId) -> Result<(), EngineError> {
        let seat = self.seat()?;
        let account = seat.account.id;
        Ok(seat.store.write(move |tx| edits::forget(tx, account, id)).await?)
    }

    /// Asks for what was typed, in place of the proposal or again. Needs the tenant; what was typed is kept until it has it.
    ///
    /// # Errors
    /// With the field at fault; offline; or when this person may not, or it is not open any more.
    pub async fn submit_edit(&self, edit: Edit) -> Result<ProposalId, EngineError> {
        let seat = self.seat()?;
        let id = edit.id;
        let (card, people, again) = editable(&seat, id).await?;
        let note = edit.note.trim().to_owned();
        let made = arguments_of(&seat, &card, &edit);
        let time = time_of(&seat, &card, &edit, &Words::new(&seat, &people), again);
        keep(&seat, edit).await?;
        if note.chars().count() > MAX_COMMENT {
            return Err(EngineError::invalid("note", "At most 2,000 characters."));
        }
        let at_fault = |problem: FieldError| EngineError::invalid(problem.name, problem.message);
        let made = made.map_err(|(_, problem)| at_fault(problem))?;
        let not_before = time.map_err(at_fault)?;
        if !again && made == *arguments(&card)? && not_before == still_to_come(&card, &seat) {
            return Err(EngineError::refused("Nothing is different from what was asked."));
        }
        if seat.is_cut_off() {
            return Err(kept_offline());
        }
        let call = Propose {
            tool_id: Some(card.proposal.tool.id.clone()),
            input: Some(Value::Object(made)),
            note: (!note.is_empty()).then_some(note),
            connection: card.proposal.connection.as_ref().map(|named| named.id),
            not_before,
            // The clock of what it replaces goes on; what is asked again has its own.
            expires_at: (!again).then_some(card.proposal.expires_at),
            supersedes: (!again).then_some(id),
            retry_of: again.then_some(id),
            ..Propose::default()
        };
        let proposed = seat.client.propose(&call).await;
        seat.wakes.sync.notify_one();
        let proposed = proposed.map_err(|error| at_its_field(error.into()))?;
        let record = proposed
            .proposal_record
            .ok_or_else(|| EngineError::refused("The tenant does not have that tool."))?;
        let account = seat.account.id;
        seat.store.write(move |tx| edits::forget(tx, account, id)).await?;
        Ok(record.ai_tool_call_id)
    }
}

/// What can be edited, and whether it is over and would be asked for again.
async fn editable(seat: &Seat, id: ProposalId) -> Result<(Card, std::sync::Arc<People>, bool), EngineError> {
    let card = seat.journal.read(move |reader| Ok(reader.proposal(id)?)).await?;
    let card = card.ok_or_else(EngineError::not_found)?;
    let people = seat.people().await?;
    let viewer = Viewer {
        person: seat.person(),
        device: seat.device(),
        now: seat.now(),
    };
    match rules::edit(&card, &people, viewer) {
        Some(arm) if arm.is_armed() => {
            let again = card.state.status(viewer.now).came_to_nothing();
            Ok((card, people, again))
        }
        Some(arm) => Err(EngineError::refused(arm.why_not.unwrap_or_default())),
        None => Err(EngineError::refused("There is nothing here that you could edit.")),
    }
}

/// The arguments that were typed; with a problem also those that it is about, where there are any.
fn arguments_of(seat: &Seat, card: &Card, edit: &Edit) -> Result<Object, (Option<Object>, FieldError)> {
    let whole = |message: String| FieldError {
        name: String::new(),
        message,
    };
    let Some((manifest, old)) = card.manifest.as_ref().zip(card.proposal.args.as_object()) else {
        return Err((None, whole(cannot_show().message)));
    };
    let made = form::read(manifest, old, &edit.entered).map_err(|problem| (None, problem))?;
    if seat.registry.manifest(manifest.digest()).is_none() {
        // Another version of the tool: the tenant has to say.
        return Ok(made);
    }
    // Who is known is for the tenant to say; what does not fit can be said at once.
    let ingress = seat.registry.ingress(
        &manifest.id,
        Value::Object(made.clone()),
        card.connection.as_ref(),
        &(),
    );
    match ingress {
        Ok(ingress) => Ok(ingress.args.as_object().cloned().unwrap_or(made)),
        Err(IngressError::Input(error)) => {
            let problem = FieldError {
                name: first_step(error.field.as_deref().unwrap_or_default()),
                message: error.message,
            };
            Err((Some(made), problem))
        }
        Err(
            error @ (IngressError::UnknownTool(_)
            | IngressError::NeedsConnection(_)
            | IngressError::WrongConnection),
        ) => Err((Some(made), whole(error.to_string()))),
    }
}

/// The time that it was asked to begin at. One that has passed says nothing any more.
fn still_to_come(card: &Card, seat: &Seat) -> Option<UnixMillis> {
    card.proposal.not_before.filter(|at| *at > seat.now())
}

/// The time that was typed, for a request that goes on with the clock of the one it replaces, or has its own.
fn time_of(
    seat: &Seat,
    card: &Card,
    edit: &Edit,
    words: &Words<'_>,
    again: bool,
) -> Result<Option<UnixMillis>, FieldError> {
    let Some(text) = &edit.not_before else {
        return Ok(still_to_come(card, seat));
    };
    let expires_at = if again {
        schedule::end_of(
            words.people,
            &card.proposal.tool.id,
            card.proposal.risk,
            words.now,
        )
    } else {
        card.proposal.expires_at
    };
    schedule::read(text, expires_at, words)
}

async fn keep(seat: &Seat, edit: Edit) -> Result<(), EngineError> {
    let (account, now, id) = (seat.account.id, seat.now(), edit.id);
    let typed = Typed {
        entered: edit.entered,
        note: edit.note,
        not_before: edit.not_before,
    };
    Ok(seat
        .store
        .write(move |tx| edits::keep(tx, account, id, &typed, now))
        .await?)
}

fn arguments(card: &Card) -> Result<&Object, EngineError> {
    card.proposal.args.as_object().ok_or_else(cannot_show)
}

/// What sending does, for this person.
fn consequence(card: &Card, people: &People, seat: &Seat, again: bool) -> String {
    let what = if again {
        "This makes a new request, and policy is asked again. That this one came to nothing stands on it."
    } else {
        "This makes a new request in place of this one, and policy is asked again."
    };
    let own = rules::own(card, people, seat.person());
    let then = match (people.mode(), own) {
        (Mode::Solo, _) if again => "You ask for it, so you approve it by a typed confirmation.",
        (Mode::Solo, _) => "As its editor you approve it by a typed confirmation.",
        (Mode::Company, true) => "Somebody else decides on it, as on this one.",
        (Mode::Company, false) if again => "You ask for it, so another person has to approve it.",
        (Mode::Company, false) => "You are its editor, so another person has to approve it.",
    };
    format!("{what} {then}")
}

/// The tenant names a field by its path from the request; the form by the argument's name.
fn at_its_field(error: EngineError) -> EngineError {
    if error.code == ErrorCode::Offline {
        return kept_offline();
    }
    let field = error.field.as_deref().and_then(|path| {
        path.strip_prefix("input/")
            .or(Some(path).filter(|path| *path == schedule::FIELD))
    });
    let field = field.map(first_step);
    EngineError {
        // What is not about an argument is about the whole.
        code: if field.is_none() && error.code == ErrorCode::Invalid {
            ErrorCode::Refused
        } else {
            error.code
        },
        field,
        ..error
    }
}

fn first_step(path: &str) -> String {
    path.split('/').next().unwrap_or_default().to_owned()
}

fn kept_offline() -> EngineError {
    EngineError::new(
        ErrorCode::Offline,
        "The tenant cannot be reached. What you typed is kept on this device: send it when you are online again.",
    )
}

fn cannot_show() -> EngineError {
    EngineError::refused("What would run cannot be shown here, so it cannot be edited here.")
}
