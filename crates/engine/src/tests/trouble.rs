use async_trait::async_trait;
use countersign_domain::{
    canonical::{Object, Value},
    manifest::Manifest,
    record::{Mode, PreviewOutcome},
    render::{Change, flat},
};
use countersign_tools::{Assessment, Call, Facts, InputError, Ran, Registry, Tool, email::SendMail};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::world::{Device, MailServer, World};
use crate::{Choice, Engine, ErrorCode, store::outbox, testing::Fakes, views::inbox::InboxView};

impl Device {
    /// This device's own file may have so many more pages; all that it wants for `None`.
    async fn room(&self, more: Option<i64>) {
        let seat = self.engine.seat().unwrap();
        seat.store
            .write(move |tx| {
                let pages: i64 = tx.pragma_query_value(None, "page_count", |row| row.get(0))?;
                let most = more.map_or(i64::from(u32::MAX - 1), |more| pages + more);
                tx.pragma_update_and_check(None, "max_page_count", most, |row| row.get::<_, i64>(0))?;
                Ok(())
            })
            .await
            .unwrap();
    }

    async fn signed(&self) -> usize {
        let seat = self.engine.seat().unwrap();
        let account = seat.account.id;
        seat.store
            .read(move |db| outbox::open(db, account))
            .await
            .unwrap()
            .len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_nothing_is_decided_that_was_not_saved_and_what_was_saved_counts() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let mut tasks = Vec::new();
    for number in 0..12 {
        let id = world.propose_task(&format!("Task {number}")).await;
        device.card(id).await;
        tasks.push(id);
    }
    device.offline().await;
    device.room(Some(3)).await;
    let (mut saved, mut refused) = (Vec::new(), Vec::new());
    for id in tasks {
        match device.decide(id, Choice::Approve, Some("y".repeat(2_000))).await {
            Ok(_) => saved.push(id),
            Err(error) => {
                assert_eq!(error.code, ErrorCode::Internal);
                assert!(error.message.starts_with("There is no room left"), "{error:?}");
                refused.push(id);
            }
        }
    }
    assert!(!saved.is_empty() && !refused.is_empty(), "{saved:?} {refused:?}");
    assert_eq!(
        device.signed().await,
        saved.len(),
        "no record without its decision"
    );
    for id in &refused {
        assert_eq!(device.words(*id).await, "Waits for a decision");
    }

    let device = device.crash(true).await;
    assert_eq!(
        device.signed().await,
        saved.len(),
        "what was saved is still there"
    );
    for id in &refused {
        device.approve(*id).await;
    }
    device.engine.cut_off(false);
    for id in saved.iter().chain(&refused) {
        device.says(*id, "Done").await;
    }
    assert!(device.engine.verify_journal().await.unwrap().ok);
}

/// Sends mail, and has learnt since that one subject is none.
struct Stricter(SendMail);

#[async_trait]
impl Tool for Stricter {
    fn manifest(&self) -> &Manifest {
        self.0.manifest()
    }

    fn normalise(&self, input: Value) -> Result<Value, InputError> {
        self.0.normalise(input)
    }

    fn assess(&self, args: &Value, facts: &dyn Facts) -> Assessment {
        self.0.assess(args, facts)
    }

    fn check_call(&self, _args: &Value, _config: &Value) -> Result<(), InputError> {
        Err(InputError::field("subject", "That is no subject."))
    }

    async fn preview(&self, call: &Call<'_>) -> PreviewOutcome {
        self.0.preview(call).await
    }

    async fn run(&self, _call: &Call<'_>) -> Ran {
        panic!("it must not come to this")
    }
}

/// Sends mail, and says on request that it goes another way than before.
struct Fickle(SendMail, Arc<AtomicBool>);

#[async_trait]
impl Tool for Fickle {
    fn manifest(&self) -> &Manifest {
        self.0.manifest()
    }

    fn normalise(&self, input: Value) -> Result<Value, InputError> {
        self.0.normalise(input)
    }

    fn assess(&self, args: &Value, facts: &dyn Facts) -> Assessment {
        self.0.assess(args, facts)
    }

    fn reference(&self, call: &Call<'_>) -> Option<String> {
        self.0.reference(call)
    }

    async fn preview(&self, call: &Call<'_>) -> PreviewOutcome {
        let shown = self.0.preview(call).await;
        let PreviewOutcome::Shown {
            content: Value::Array(mut lines),
        } = shown
        else {
            return shown;
        };
        if self.1.load(Ordering::SeqCst) {
            lines.push(Object::from_iter([("Relay", "relay.example")]).into());
        }
        PreviewOutcome::Shown {
            content: lines.into(),
        }
    }

    async fn run(&self, call: &Call<'_>) -> Ran {
        self.0.run(call).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_would_go_another_way_than_was_approved_is_made_again_and_shows_the_difference() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let another_way = Arc::new(AtomicBool::new(false));
    let tools = [Arc::new(Fickle(SendMail::new().unwrap(), Arc::clone(&another_way))) as Arc<dyn Tool>];
    let device = Device::of(Fakes::default(), |folder, ports| {
        Engine::with_registry(folder, ports, Registry::new(tools).unwrap())
    });
    device.sign_in(&world).await;
    device.online().await;
    device.add_mail(&mail).await;
    let old = world.propose_mail("new@customer.example").await;
    device.card(old).await;
    another_way.store(true, Ordering::SeqCst);
    device.approve(old).await;
    device
        .says(old, "What the call would do is not what people were shown.")
        .await;
    assert_eq!(mail.mails().len(), 0, "nothing left");

    let new = device.card(old).await.lineage.replaced_by.expect("made again");
    let card = device.card(new).await;
    assert_eq!(
        card.lineage.replaces.as_ref().map(|replaces| replaces.id),
        Some(old)
    );
    let differences = card.lineage.replaces.unwrap().differences;
    let changed: Vec<_> = differences
        .iter()
        .filter(|one| one.change != Change::Unchanged)
        .collect();
    let [changed] = changed[..] else {
        panic!("{differences:?}");
    };
    assert_eq!(changed.label, "What it would do");
    let lines: Vec<_> = changed
        .lines
        .iter()
        .filter(|line| line.change != Change::Unchanged)
        .map(|line| (line.change, flat(&line.text)))
        .collect();
    assert_eq!(lines, [(Change::Added, "Relay: relay.example".to_owned())]);
    device.approve(new).await;
    device.says(new, "Done").await;
    assert_eq!(mail.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_would_not_make_the_call_any_more_says_so_once() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let fakes = Fakes::default();
    let tools = [Arc::new(Stricter(SendMail::new().unwrap())) as Arc<dyn Tool>];
    let device = Device::of(fakes, |folder, ports| {
        Engine::with_registry(folder, ports, Registry::new(tools).unwrap())
    });
    device.sign_in(&world).await;
    device.online().await;
    device.add_mail(&mail).await;
    let id = world.propose_mail("new@customer.example").await;
    device.approve(id).await;
    device
        .says(id, "The tool does not take these arguments: That is no subject.")
        .await;
    let all = device.inbox(InboxView::Done).await;
    assert_eq!(all.total, 1, "it is over");
    assert_eq!(mail.mails().len(), 0, "nothing left");
}
