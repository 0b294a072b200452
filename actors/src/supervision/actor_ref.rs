//! A stable reference to an actor that may be replaced. An `Addr` leads to one incarnation and is dead with it; a
//! reference is pointed at each new incarnation when that is built, and stays usable for everybody who holds it.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{
    Actor, Addr, Handler, Message,
    dev::{MessageResponse, OneshotSender, ToEnvelope},
};

/// How long to wait before asking an actor again that is being replaced.
const PATIENCE: Duration = Duration::from_millis(20);

/// Leads to whichever incarnation of `A` lives. Clones lead to the same.
pub struct ActorRef<A: Actor> {
    to: Arc<RwLock<Option<Addr<A>>>>,
    waiting: Arc<AtomicUsize>,
}

/// A message that is counted for as long as it waits in the mailbox: actix does not show how full one is. An actor accepts
/// such messages by `handles_tracked`.
#[derive(Debug)]
pub struct TrackedMessage<M> {
    message: M,
    _waits: Waits,
}

impl<M: Message> Message for TrackedMessage<M> {
    type Result = M::Result;
}

impl<M> TrackedMessage<M> {
    /// The message, which does not wait any more.
    pub fn into_inner(self) -> M {
        self.message
    }
}

/// The answer to a tracked message.
pub struct Answer<A: Handler<M>, M: Message>(pub(crate) <A as Handler<M>>::Result);

impl<A: Handler<M>, M: Message> MessageResponse<A, TrackedMessage<M>> for Answer<A, M> {
    fn handle(self, ctx: &mut A::Context, to: Option<OneshotSender<M::Result>>) {
        MessageResponse::<A, M>::handle(self.0, ctx, to);
    }
}

#[derive(Debug)]
struct Waits(Arc<AtomicUsize>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Has an actor accept these of its messages as tracked ones, too.
macro_rules! handles_tracked {
    ($actor:ty: $($message:ty),+) => {$(
        impl actix::Handler<$crate::supervision::TrackedMessage<$message>> for $actor {
            type Result = $crate::supervision::actor_ref::Answer<Self, $message>;

            fn handle(
                &mut self,
                message: $crate::supervision::TrackedMessage<$message>,
                ctx: &mut Self::Context,
            ) -> Self::Result {
                $crate::supervision::actor_ref::Answer(actix::Handler::handle(self, message.into_inner(), ctx))
            }
        }
    )+};
}
pub(crate) use handles_tracked;

/// Nobody was there, or the one who was died before it answered. Whether it acted is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the actor is being restarted")]
pub struct Gone;

impl<A: Actor> ActorRef<A> {
    /// A reference that leads nowhere yet.
    pub fn new() -> Self {
        Self { to: Arc::default(), waiting: Arc::default() }
    }

    /// Points the reference at another incarnation.
    pub(crate) fn point_at(&self, addr: Addr<A>) {
        // The lock guards one pointer, which no panic can leave half written.
        *self.to.write().unwrap_or_else(PoisonError::into_inner) = Some(addr);
    }

    /// The incarnation that it leads to now.
    pub fn addr(&self) -> Option<Addr<A>> {
        self.to.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many messages wait in the mailbox.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn tracked<M>(&self, message: M) -> TrackedMessage<M> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        TrackedMessage { message, _waits: Waits(Arc::clone(&self.waiting)) }
    }

    /// Asks, and waits for the answer.
    pub async fn ask<M>(&self, message: M) -> Result<M::Result, Gone>
    where
        A: Handler<TrackedMessage<M>>,
        A::Context: ToEnvelope<A, TrackedMessage<M>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        self.addr().ok_or(Gone)?.send(self.tracked(message)).await.map_err(|_| Gone)
    }

    /// Asks until somebody answers. For messages that may safely arrive twice.
    pub async fn ask_until_answered<M>(&self, message: M) -> M::Result
    where
        A: Handler<TrackedMessage<M>>,
        A::Context: ToEnvelope<A, TrackedMessage<M>>,
        M: Message + Clone + Send + 'static,
        M::Result: Send,
    {
        loop {
            match self.ask(message.clone()).await {
                Ok(answer) => return answer,
                Err(Gone) => actix_rt::time::sleep(PATIENCE).await,
            }
        }
    }

    /// Tells something that may be lost: a full mailbox or a dead actor swallows it.
    pub fn tell<M>(&self, message: M)
    where
        A: Handler<TrackedMessage<M>>,
        A::Context: ToEnvelope<A, TrackedMessage<M>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        if let Some(addr) = self.addr() {
            // What is told may be lost.
            let _ = addr.try_send(self.tracked(message));
        }
    }
}

impl<A: Actor> ActorRef<A> {
    /// Tells something that only the death of the actor may lose, because it concerns nothing but the actor's own
    /// memory. Never full: so only for what each asker tells at most once.
    pub fn tell_unbounded<M>(&self, message: M)
    where
        A: Handler<TrackedMessage<M>>,
        A::Context: ToEnvelope<A, TrackedMessage<M>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        if let Some(addr) = self.addr() {
            #[expect(
                clippy::disallowed_methods,
                reason = "what it tells dies with the actor that it tells it to"
            )]
            addr.do_send(self.tracked(message));
        }
    }
}

impl<A: Actor> Clone for ActorRef<A> {
    fn clone(&self) -> Self {
        Self { to: Arc::clone(&self.to), waiting: Arc::clone(&self.waiting) }
    }
}

impl<A: Actor> Default for ActorRef<A> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use actix::Context;

    use super::*;

    #[derive(Message)]
    #[rtype(result = "usize")]
    struct HowMany;

    /// Answers how many messages wait behind the one that it reads.
    struct Reader(ActorRef<Self>);

    impl Actor for Reader {
        type Context = Context<Self>;
    }

    impl Handler<HowMany> for Reader {
        type Result = usize;

        fn handle(&mut self, _: HowMany, _: &mut Self::Context) -> usize {
            self.0.waiting()
        }
    }

    handles_tracked!(Reader: HowMany);

    #[actix_rt::test]
    async fn what_waits_in_a_mailbox_is_counted_until_it_is_read_or_lost() {
        let actor = ActorRef::<Reader>::new();
        assert_eq!((actor.ask(HowMany).await, actor.waiting()), (Err(Gone), 0));
        actor.point_at(Reader(actor.clone()).start());
        actor.tell(HowMany);
        actor.tell(HowMany);
        assert_eq!(actor.waiting(), 2);
        assert_eq!(actor.ask(HowMany).await, Ok(0));
        assert_eq!(actor.waiting(), 0);
    }
}
