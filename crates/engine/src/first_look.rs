//! What a fresh device shows while a long journal is on its way: the newest proposals that wait for people, as the tenant
//! lists them. A list and no more: nothing is opened or decided from it, because cards come from the journal alone.

use std::sync::{Arc, Mutex, PoisonError};

use countersign_domain::{
    render,
    wire::{MAX_PAGE, ProposalSummary},
};

use crate::{
    error::{EngineError, ErrorCode},
    event::EngineEvent,
    seat::Seat,
    views::{
        StateKind, Tone,
        inbox::{InboxPage, InboxQuery, InboxRow, InboxView, Today},
        view,
    },
};

/// The tenant's list, while there is nothing better.
#[derive(Debug, Default)]
pub(crate) struct FirstLook(Mutex<Option<Arc<[ProposalSummary]>>>);

impl FirstLook {
    fn set(&self, list: Option<Arc<[ProposalSummary]>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = list;
    }

    fn get(&self) -> Option<Arc<[ProposalSummary]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A page of it; `None` once the journal speaks.
    pub(crate) fn page(&self, query: &InboxQuery) -> Option<InboxPage> {
        let list = self.get()?;
        let words = query.search.as_deref().unwrap_or_default().to_lowercase();
        let fits = |row: &&ProposalSummary| {
            let line = row.sentence.to_lowercase();
            query.view == InboxView::ToDecide
                && query.risk.is_none_or(|risk| risk == row.risk)
                && words.split_whitespace().all(|word| line.contains(word))
        };
        let rows: Vec<InboxRow> = list
            .iter()
            .filter(fits)
            .take(query.limit as usize)
            .map(row)
            .collect();
        Some(InboxPage {
            total: rows.len() as u64,
            rows,
            next: None,
            capped: true,
            empty: None,
            today: Today::default(),
        })
    }

    /// Why nothing can be opened yet.
    ///
    /// # Errors
    /// Until the journal speaks.
    pub(crate) fn is_over(&self) -> Result<(), EngineError> {
        match self.get() {
            Some(_) => Err(EngineError::new(
                ErrorCode::NotReady,
                "This device is still fetching the tenant's journal. It opens as soon as that is here.",
            )),
            None => Ok(()),
        }
    }
}

/// Shows the tenant's list. That it cannot be had is no trouble: the journal is on its way.
pub(crate) async fn begin(seat: &Seat) {
    match seat.client.waiting(MAX_PAGE).await {
        Ok(mut list) => {
            // As the inbox has them.
            list.sort_by_key(|row| (core::cmp::Reverse(row.risk), row.created_at, row.id));
            seat.first_look.set(Some(list.into()));
            seat.tell(EngineEvent::InboxChanged);
        }
        Err(error) => tracing::info!("No first look at the tenant's list: {error:?}"),
    }
}

/// From here on the journal speaks.
pub(crate) fn end(seat: &Seat) {
    seat.first_look.set(None);
    seat.tell(EngineEvent::InboxChanged);
    seat.tell(EngineEvent::StateChanged);
}

fn row(row: &ProposalSummary) -> InboxRow {
    InboxRow {
        id: row.id,
        sentence: row.sentence.clone(),
        tool: row.tool_id.clone(),
        risk: row.risk,
        proposer: render::flat(&render::visible(&row.proposer.name)),
        proposer_kind: row.proposer.kind,
        created_at: row.created_at,
        expires_at: row.expires_at,
        state: view(
            StateKind::Proposed,
            "Waits for a decision",
            Some(row.created_at),
            Tone::Neutral,
        ),
        decidable: false,
    }
}
