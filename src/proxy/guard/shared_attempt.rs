//! One login attempt shared by concurrent requests with the same credentials. It has failed if any of them has failed; it is
//! released when the last response has arrived and none of them was about the password.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicBool, Ordering},
};

/// `R` is a reservation: if dropped, it stays counted.
pub(super) struct SharedAttempt<R> {
    reservation: Mutex<Option<R>>,
    /// A request ended without a response: the portal may have verified the password.
    is_uncertain: AtomicBool,
}

pub(super) struct AttemptShare<R>(Option<Arc<SharedAttempt<R>>>);

impl<R> AttemptShare<R> {
    pub fn new(reservation: R) -> Self {
        let reservation = Mutex::new(Some(reservation));
        Self(Some(Arc::new(SharedAttempt { reservation, is_uncertain: AtomicBool::new(false) })))
    }

    /// `None`: the attempt is over.
    pub fn of(attempt: &Weak<SharedAttempt<R>>) -> Option<Self> {
        let attempt = attempt.upgrade()?;
        let is_open = attempt.reservation.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        // an attempt that is over is left unchanged
        is_open.then_some(Self(Some(attempt)))
    }

    pub fn downgrade(&self) -> Weak<SharedAttempt<R>> {
        self.0.as_ref().map(Arc::downgrade).unwrap_or_default()
    }

    /// Reads the reservation; `None`: another request has taken it.
    pub fn with_reservation<T>(&self, read: impl FnOnce(&R) -> T) -> Option<T> {
        let attempt = self.0.as_ref()?;
        let reservation = attempt.reservation.lock().unwrap_or_else(PoisonError::into_inner);
        reservation.as_ref().map(read)
    }

    /// The response decides the attempt: takes the reservation, unless another request has taken it.
    pub fn take(mut self) -> Option<R> {
        let attempt = self.0.take()?;
        let mut reservation = attempt.reservation.lock().unwrap_or_else(PoisonError::into_inner);
        reservation.take()
    }

    /// The response does not decide: the reservation to release, if this was the last share.
    pub fn take_if_last(mut self) -> Option<R> {
        let attempt = Arc::into_inner(self.0.take()?)?;
        let reservation = attempt.reservation.into_inner().unwrap_or_else(PoisonError::into_inner);
        reservation.filter(|_| !attempt.is_uncertain.into_inner())
    }
}

impl<R> Drop for AttemptShare<R> {
    fn drop(&mut self) {
        if let Some(attempt) = self.0.take() {
            attempt.is_uncertain.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> [AttemptShare<u8>; 3] {
        let one = AttemptShare::new(7);
        let guess = one.downgrade();
        [one, AttemptShare::of(&guess).unwrap(), AttemptShare::of(&guess).unwrap()]
    }

    #[test]
    fn last_share_releases_an_undecided_attempt() {
        let [one, two, three] = three();
        let guess = one.downgrade();
        assert_eq!([one.take_if_last(), two.take_if_last()], [None, None]);
        assert_eq!(three.take_if_last(), Some(7));
        assert!(AttemptShare::of(&guess).is_none());
    }

    /// Attack: the same guess at a public page, held open beside the one that is verified.
    #[test]
    fn attack_wrong_password_released_by_another_page() {
        let [public, checked, late] = three();
        let guess = public.downgrade();
        assert_eq!(checked.take(), Some(7), "the attempt has failed");
        assert!(AttemptShare::of(&guess).is_none(), "no further request joins it");
        assert_eq!([public.take_if_last(), late.take()], [None, None]);
    }

    #[test]
    fn attack_hang_up_before_the_portal_answers() {
        let [gone, one, two] = three();
        drop(gone);
        assert_eq!([one.take_if_last(), two.take_if_last()], [None, None], "dropped, so it stays counted");
    }
}
