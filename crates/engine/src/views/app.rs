//! The frame: who is here, how things stand, and the journal's own health.

use std::sync::atomic::Ordering;

use countersign_domain::{
    UnixMillis,
    id::TenantId,
    people::People,
    record::{Mode, Role},
};

use super::{
    Permission,
    stops::{StopRow, stops},
};
use crate::{
    Engine, EngineError, EngineEvent, Link, Phase, enrol, export,
    overlay::Overlay,
    reconcile::pull::contradicted,
    refused::{Refused, refused},
    seat::Seat,
    store::{outbox, settings},
};

/// What a frame shows, whatever page is open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppState {
    pub phase: Phase,
    pub home: Option<Home>,
}

/// The tenant and the person at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Home {
    /// `None` until the first page of the journal is here.
    pub tenant: Option<TenantView>,
    pub person_name: String,
    pub email: String,
    pub device_name: String,
    /// Of this device's public key.
    pub device_fingerprint: String,
    /// While this device waits to be confirmed.
    pub device_waits: Option<DeviceWaits>,
    /// Nothing that it signs counts, for good.
    pub device_revoked: bool,
    /// This person's other devices that wait to be confirmed and may be from here, by name.
    pub devices_to_confirm: Vec<String>,
    pub link: Link,
    /// How old the data is, in seconds.
    pub age_seconds: Option<u64>,
    pub waiting_to_send: u32,
    /// To decide, by risk, mildest first.
    pub counts: [u64; 4],
    /// How many requests have waited too long, as of ten seconds ago at most.
    pub overdue: u64,
    pub notifications_paused: bool,
    pub journal_size: u64,
    /// A sentence when the log has shown two histories; stays until people have settled it.
    pub alarm: Option<String>,
    /// Whether this person may take the journal away as a file.
    pub export: Permission,
    /// A sentence when a background task does not work.
    pub trouble: Option<String>,
    /// What this person signed and does not count, as long as they have not seen that.
    pub refused: Vec<Refused>,
    /// What stands still, the widest first.
    pub stops: Vec<StopRow>,
    /// Whether this person may stop something.
    pub stop: Permission,
}

/// A device whose signatures do not count until somebody else has confirmed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceWaits {
    /// What is typed where it is confirmed.
    pub code: String,
    /// This person's devices in service, by name: each may confirm it.
    pub own: Vec<String>,
    /// The other people who may, by name.
    pub who: Vec<String>,
}

/// The tenant as this person has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantView {
    pub name: String,
    pub mode: Mode,
    pub role: Option<Role>,
    /// The key that signs the tenant's log: what an exported journal is checked with.
    pub log_key: String,
}

/// What a check of the whole journal found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalCheck {
    pub size: u64,
    pub ok: bool,
    pub words: String,
}

impl Engine {
    /// Everything that the frame shows.
    ///
    /// # Errors
    /// When a database fails.
    pub async fn app_state(&self) -> Result<AppState, EngineError> {
        let phase = self.phase();
        let home = match self.seat() {
            Ok(seat) => Some(home(&seat).await?),
            Err(_) => None,
        };
        Ok(AppState { phase, home })
    }

    /// To decide, by risk, mildest first: what the tray says.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn counts(&self) -> Result<[u64; 4], EngineError> {
        let seat = self.seat()?;
        counts(&seat, &*seat.people().await?).await
    }

    /// Stops notices, or lets them come again.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn pause_notifications(&self, paused: bool) -> Result<(), EngineError> {
        let seat = self.seat()?;
        seat.store
            .write(move |tx| settings::pause_notifications(tx, paused))
            .await?;
        seat.wakes.notify.notify_one();
        seat.tell(EngineEvent::StateChanged);
        Ok(())
    }

    /// Recomputes the whole tree from the first entry and every body's digest. May take seconds.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn verify_journal(&self) -> Result<JournalCheck, EngineError> {
        let seat = self.seat()?;
        let size = size(&seat).await?;
        let checked = seat
            .journal
            .read(|reader| Ok((reader.verify_all()?, reader.contradiction()?)))
            .await;
        Ok(match checked {
            Ok((_, Some(other))) => {
                contradicted(&seat, &other).await;
                JournalCheck {
                    size,
                    ok: false,
                    words: format!("The tenant has shown two histories: {other}."),
                }
            }
            Ok((verified, None)) => JournalCheck {
                size: verified.entries,
                ok: true,
                words: format!(
                    "All {} entries lead to the root that the tenant has signed, {}.",
                    verified.entries,
                    verified.root.fingerprint()
                ),
            },
            Err(error) => {
                tracing::error!("The journal on this device does not verify: {error}");
                seat.wakes.sync.notify_one();
                JournalCheck {
                    size,
                    ok: false,
                    words: format!("Not in order: {error}. It is fetched again."),
                }
            }
        })
    }

    /// The tenant that somebody is signed in to: agents name it in their calls.
    pub fn tenant(&self) -> Option<TenantId> {
        Some(self.seat().ok()?.tenant())
    }

    /// Asks for the newest state of the tenant at once.
    pub fn refresh(&self) {
        if let Ok(seat) = self.seat() {
            seat.wakes.sync.notify_one();
        }
    }
}

async fn home(seat: &Seat) -> Result<Home, EngineError> {
    let people = seat.people().await?;
    let account = seat.account.id;
    let (waiting_to_send, notifications_paused) = seat
        .store
        .read(move |db| {
            Ok((
                outbox::count_waiting(db, account)?,
                settings::notifications_paused(db)?,
            ))
        })
        .await?;
    let mut link = seat.link.borrow().clone();
    if link.as_of.is_none() {
        // The tenant was not reached since the start: what is here is as of its newest entry.
        let head = seat.journal.read(|reader| Ok(reader.head()?)).await?;
        link.as_of = head.map(|head| head.last_at);
    }
    let (stops, stop) = stops(seat, &people).await?;
    let me = people.members.get(&seat.person());
    let device = people.devices.get(&seat.device());
    let of_mine = people
        .devices
        .values()
        .filter(|other| other.user == seat.person());
    let devices_to_confirm = if enrol::is_in_service(seat, &people) {
        let waiting = of_mine.filter(|other| other.is_waiting());
        waiting.map(|other| other.name.clone()).collect()
    } else {
        Vec::new()
    };
    Ok(Home {
        device_revoked: device.is_some_and(|device| device.revoked_at.is_some()),
        devices_to_confirm,
        tenant: people.tenant.as_ref().map(|tenant| TenantView {
            name: tenant.name.clone(),
            mode: tenant.mode,
            role: people.role(seat.person()),
            log_key: tenant.log_key.to_string(),
        }),
        person_name: me.map_or_else(|| seat.account.email.clone(), |me| me.name.clone()),
        email: seat.account.email.clone(),
        device_name: seat.account.device_name.clone(),
        device_fingerprint: seat.present_key().await?.public_key().key_id().fingerprint(),
        device_waits: device.filter(|device| device.is_waiting()).map(|device| DeviceWaits {
            code: device.code(),
            own: people
                .devices
                .values()
                .filter(|other| other.user == seat.person() && other.is_active())
                .map(|other| other.name.clone())
                .collect(),
            who: people
                .members
                .iter()
                .filter(|(id, other)| **id != seat.person() && other.role.is_some_and(Role::manages))
                .map(|(_, other)| other.name.clone())
                .collect(),
        }),
        age_seconds: link.as_of.map(|at: UnixMillis| (seat.now().since(at).0.max(0) / 1000).unsigned_abs()),
        link,
        waiting_to_send,
        counts: counts(seat, &people).await?,
        overdue: seat.overdue.load(Ordering::Relaxed),
        notifications_paused,
        journal_size: size(seat).await?,
        alarm: seat.fork().await?.map(|_| {
            "The tenant's log has shown another history than the one this device has verified. Both are kept as \
             evidence; nothing more is taken from it. Decide nothing here, and ask whoever runs the server."
                .to_owned()
        }),
        export: export::permission(seat).await?,
        trouble: seat.trouble(),
        refused: refused(seat).await?,
        stops,
        stop,
    })
}

/// What waits for this person: nothing, where its role decides nothing.
async fn counts(seat: &Seat, people: &People) -> Result<[u64; 4], EngineError> {
    if !people.role(seat.person()).is_some_and(Role::decides) {
        return Ok([0; 4]);
    }
    let (overlay, now) = (Overlay::load(seat).await?, seat.now());
    let counts = seat
        .journal
        .read(move |reader| {
            let mut counts = reader.counts(now)?.to_decide;
            let mine = reader.to_decide_among(overlay.ids(), now)?;
            for (count, mine) in counts.iter_mut().zip(mine) {
                *count = count.saturating_sub(mine);
            }
            Ok(counts)
        })
        .await?;
    Ok(counts)
}

async fn size(seat: &Seat) -> Result<u64, EngineError> {
    Ok(seat
        .journal
        .read(|reader| Ok(reader.head()?.map_or(0, |head| head.size)))
        .await?)
}
