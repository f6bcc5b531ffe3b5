use async_trait::async_trait;
use countersign_domain::{
    canonical::Value,
    manifest::Manifest,
    record::{Mode, PreviewOutcome},
};
use countersign_tools::{Assessment, Call, Facts, InputError, Ran, Registry, Tool, email::SendMail};
use std::sync::Arc;

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
