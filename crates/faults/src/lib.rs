//! Crash points: named places where a test ends a process as a power cut would, without a destructor or a flush.
//!
//! [`crash_point`] does nothing unless the process was started with [`CRASH_AT`], and is nothing at all in a build without
//! debug assertions: a release build has no crash point (`tests/release.rs` builds one and looks).

/// The environment variable that arms one point: `<name>` or `<name>:<n>`, the n-th time that it is passed.
pub const CRASH_AT: &str = "COUNTERSIGN_CRASH_AT";

/// Defines the points with their names.
macro_rules! points {
    ($($(#[$doc:meta])* $point:ident => $name:literal,)*) => {
        /// A place between two steps. What is done is said first: `BeginStored` is behind the commit of a begin.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Point {
            $($(#[$doc])* $point,)*
        }

        impl Point {
            /// Every point.
            pub const ALL: &[Self] = &[$(Self::$point,)*];

            /// Its name, as [`CRASH_AT`] takes it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)*
                }
            }
        }
    };
}

points! {
    // The server.
    ControlMigrated => "control-migrated",
    TenantMigrated => "tenant-migrated",
    ProposalStored => "proposal-stored",
    DecisionStored => "decision-stored",
    ClaimStored => "claim-stored",
    /// Written, in a transaction that is not committed.
    BeginWritten => "begin-written",
    BeginStored => "begin-stored",
    IntentStored => "intent-stored",
    /// Written, in a transaction that is not committed.
    ReceiptWritten => "receipt-written",
    ReceiptStored => "receipt-stored",
    /// Begin, effect and receipt of a local tool, in a transaction that is not committed.
    LocalWritten => "local-written",
    LocalStored => "local-stored",
    /// Size and root are stored, the signature is not made.
    CheckpointStored => "checkpoint-stored",
    CheckpointSigned => "checkpoint-signed",
    EnrolStored => "enrol-stored",
    SnapshotBuilt => "snapshot-built",
    SnapshotPacked => "snapshot-packed",
    // The executor, wherever it runs.
    CallAhead => "call-ahead",
    CallMade => "call-made",
    // The device.
    KeychainWritten => "keychain-written",
    DeviceMigrated => "device-migrated",
    EnrolSigned => "enrol-signed",
    EnrolAnswered => "enrol-answered",
    /// Signed into the outbox, in a transaction that is not committed.
    DecisionSigned => "decision-signed",
    DecisionKept => "decision-kept",
    PushAhead => "push-ahead",
    PushSent => "push-sent",
    PushKept => "push-kept",
    PageTaken => "page-taken",
    Claimed => "claimed",
    BeginKept => "begin-kept",
    BeginAnswered => "begin-answered",
    IntentAhead => "intent-ahead",
    IntentKept => "intent-kept",
    ReceiptKept => "receipt-kept",
}

/// Ends the process here if this point was armed and its time has come.
#[inline(always)]
pub fn crash_point(point: Point) {
    #[cfg(debug_assertions)]
    armed::pass(point);
    #[cfg(not(debug_assertions))]
    let _ = point;
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };

    use super::{CRASH_AT, Point};

    struct Armed {
        name: String,
        /// How many times it is still passed, the last one included.
        left: AtomicU64,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let text = std::env::var(CRASH_AT).ok()?;
        let (name, count) = text.split_once(':').unwrap_or((&text, "1"));
        Some(Armed {
            name: name.to_owned(),
            left: AtomicU64::new(count.parse().ok()?),
        })
    });

    pub(super) fn pass(point: Point) {
        if let Some(armed) = &*ARMED
            && armed.name == point.name()
            && armed.left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            // No destructor, no flush: what is not on the disk is lost, as with SIGKILL.
            std::process::abort();
        }
    }
}
