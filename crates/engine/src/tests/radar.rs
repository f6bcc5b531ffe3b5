//! Whose move it is, on a desktop.

use countersign_domain::{Millis, record::Mode};

use super::world::{Device, MailServer, World, eventually};
use crate::reconcile;

impl Device {
    /// What the frame of the window says after the next look, and in how long it looks again.
    async fn overdue(&self) -> (u64, Millis) {
        let seat = self.engine.seat().unwrap();
        let next = reconcile::radar::reconcile(&seat).await.unwrap();
        let overdue = self.engine.app_state().await.unwrap().home.unwrap().overdue;
        (overdue, Millis(next.as_millis().try_into().unwrap()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_radar_names_whose_move_it_is_and_what_has_waited_too_long() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let ada = world.device().await;
    ada.add_mail(&mail).await;
    ada.online().await;
    let bob = world.colleague(&ada, "bob").await;
    world.vouch(&ada, &bob).await;
    assert_eq!(bob.engine.radar().await.unwrap().rows, Vec::new());

    let (task, letter) = (
        world.propose_task("Order paper").await,
        world.propose_mail("new@customer.example").await,
    );
    bob.card(letter).await;
    bob.engine.ask(task, "What for?".to_owned()).await.unwrap();
    bob.says(task, "You asked").await;
    ada.offline().await;
    bob.approve(letter).await;
    let words = async |device: &Device| {
        let rows = device.engine.radar().await.unwrap().rows;
        let words = rows.into_iter().map(|row| (row.id, row.words, row.overdue));
        words.collect::<Vec<_>>()
    };
    let laptop = bob.engine.seat().unwrap().people().await.unwrap().devices
        [&ada.engine.seat().unwrap().device()]
        .name
        .clone();
    eventually("each waits for somebody", async || {
        let mut rows = words(&bob).await;
        rows.sort_by_key(|(id, ..)| *id != task);
        rows == [
            (task, "Waits for an answer of Billing bot".to_owned(), false),
            (letter, format!("Waits for {laptop} to run it"), false),
        ]
    })
    .await;

    // Its looks are made here, step by step.
    bob.engine.stop_task("radar");
    let (overdue, next) = bob.overdue().await;
    assert_eq!(overdue, 0);
    bob.fakes.clock.advance(next);
    let late: Vec<_> = words(&bob).await.into_iter().filter(|(.., late)| *late).collect();
    assert_eq!(late.len(), 1, "its device is away");
    assert_eq!(late[0].0, letter);
    assert_eq!(bob.overdue().await.0, 1, "nothing has happened but time");
    ada.engine.cut_off(false);
    bob.says(letter, "Done").await;
    assert_eq!(words(&bob).await.len(), 1, "what is over is on no radar");
    assert_eq!(bob.overdue().await.0, 0, "and counts no more");
}
