//! A stable reference to an actor that may be replaced. An `Addr` points to one incarnation and is useless after that
//! incarnation dies. The supervisor points an `ActorRef` at each new incarnation, so it stays valid for everyone who
//! holds it.

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

/// How long to wait before asking again while an actor is being replaced.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Points to the living incarnation of `A`. Clones point to the same one.
pub struct ActorRef<A: Actor> {
    to: Arc<RwLock<Option<Addr<A>>>>,
    waiting: Arc<AtomicUsize>,
}

/// A message that is counted while it waits in the mailbox, because actix does not expose the length of one. An actor
/// accepts such messages through `handles_tracked`.
#[derive(Debug)]
pub struct TrackedMessage<M> {
    message: M,
    _waits: Waits,
}

impl<M: Message> Message for TrackedMessage<M> {
    type Result = M::Result;
}

impl<M> TrackedMessage<M> {
    /// Returns the message and stops counting it.
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

/// Makes an actor accept these messages in tracked form, too.
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

/// The actor was not there, or died before it answered. Whether it handled the message is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the actor is being restarted")]
pub struct Gone;

impl<A: Actor> ActorRef<A> {
    /// Creates a reference that points to nothing yet.
    pub fn new() -> Self {
        Self { to: Arc::default(), waiting: Arc::default() }
    }

    /// Points the reference at a new incarnation.
    pub(crate) fn point_at(&self, addr: Addr<A>) {
        // The lock guards one pointer, which no panic can leave half written.
        *self.to.write().unwrap_or_else(PoisonError::into_inner) = Some(addr);
    }

    /// The incarnation that it points to now.
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

    /// Asks until the actor answers. Only for messages that may safely arrive twice.
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
                Err(Gone) => actix_rt::time::sleep(RETRY_INTERVAL).await,
            }
        }
    }

    /// Sends a message without waiting for an answer. A full mailbox or a dead actor drops it.
    pub fn tell<M>(&self, message: M)
    where
        A: Handler<TrackedMessage<M>>,
        A::Context: ToEnvelope<A, TrackedMessage<M>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        if let Some(addr) = self.addr() {
            // A message sent this way may be lost.
            let _ = addr.try_send(self.tracked(message));
        }
    }
}

impl<A: Actor> ActorRef<A> {
    /// Sends a message that is lost only if the actor dies; it concerns only the actor's own memory. The mailbox
    /// accepts it even when full, so each sender must send such a message at most once.
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
                reason = "the message concerns only the memory of the actor, and dies with it"
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

    /// Answers how many messages wait behind the one that it handles.
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
    async fn messages_are_counted_until_they_are_handled_or_lost() {
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
