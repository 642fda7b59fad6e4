(** * The existence lock: no reader beside a writer, for any number of cores

    A reader stores to its own line, then looks at the gate; one that finds the gate taken takes its line back and queues
    there. A writer takes the gate, then waits for each line in any order. The gate is a lock with mutual exclusion
    (TicketLock.v): here it is held by at most one core by construction. Each atomic operation is a step; memory orderings are
    the explorer's business, starvation is Spin's. kernel/sync/src/smp/existence.rs. *)

Require Import List.
Import ListNotations.

Section ExistenceLock.

Variable core : Type.
Variable core_dec : forall a b : core, {a = b} + {a <> b}.

Definition update {A} (f : core -> A) (a : core) (v : A) : core -> A :=
  fun b => if core_dec b a then v else f b.

(** Where a core is. [Scanning] has seen the lines of some cores clear. *)
Inductive place :=
| Away
| Announced          (* line stored, gate not yet looked at *)
| Refused            (* found the gate taken; line still stored *)
| Queued             (* line taken back, waits for the gate *)
| ByTurn             (* has the gate as a reader *)
| Entering           (* has the gate as a reader, line stored *)
| Reading
| Wants              (* waits for the gate as a writer *)
| Scanning (seen : core -> bool)
| Writing.

Record state := State { gate : option core; line : core -> bool; at_ : core -> place }.

Inductive step (s : state) : state -> Prop :=
| announce : forall a, at_ s a = Away ->
    step s (State (gate s) (update (line s) a true) (update (at_ s) a Announced))
| look_free : forall a, at_ s a = Announced -> gate s = None ->
    step s (State (gate s) (line s) (update (at_ s) a Reading))
| look_taken : forall a, at_ s a = Announced -> gate s <> None ->
    step s (State (gate s) (line s) (update (at_ s) a Refused))
| step_back : forall a, at_ s a = Refused ->
    step s (State (gate s) (update (line s) a false) (update (at_ s) a Queued))
| turn : forall a, at_ s a = Queued -> gate s = None ->
    step s (State (Some a) (line s) (update (at_ s) a ByTurn))
| store_in_turn : forall a, at_ s a = ByTurn ->
    step s (State (gate s) (update (line s) a true) (update (at_ s) a Entering))
| pass_on : forall a, at_ s a = Entering ->
    step s (State None (line s) (update (at_ s) a Reading))
| stop_reading : forall a, at_ s a = Reading ->
    step s (State (gate s) (update (line s) a false) (update (at_ s) a Away))
| want : forall a, at_ s a = Away ->
    step s (State (gate s) (line s) (update (at_ s) a Wants))
| take : forall a, at_ s a = Wants -> gate s = None ->
    step s (State (Some a) (line s) (update (at_ s) a (Scanning (fun _ => false))))
| see_clear : forall a b seen, at_ s a = Scanning seen -> line s b = false ->
    step s (State (gate s) (line s) (update (at_ s) a (Scanning (update seen b true))))
| write : forall a seen, at_ s a = Scanning seen -> (forall b, seen b = true) ->
    step s (State (gate s) (line s) (update (at_ s) a Writing))
| stop_writing : forall a, at_ s a = Writing ->
    step s (State None (line s) (update (at_ s) a Away)).

Definition initial (s : state) : Prop := gate s = None /\ (forall a, line s a = false) /\ forall a, at_ s a = Away.

Inductive reachable : state -> Prop :=
| reach_initial : forall s, initial s -> reachable s
| reach_step : forall s s', reachable s -> step s s' -> reachable s'.

Definition has_gate (p : place) : bool :=
  match p with ByTurn | Entering | Scanning _ | Writing => true | _ => false end.
Definition has_line (p : place) : bool :=
  match p with Announced | Refused | Entering | Reading => true | _ => false end.

(** Whoever is where it needs the gate has it; whoever is where its line is stored has stored it; and of whom a writer has
    seen the line clear does not read. *)
Record sound (s : state) : Prop := {
  gate_held : forall a, has_gate (at_ s a) = true -> gate s = Some a;
  line_stored : forall a, has_line (at_ s a) = true -> line s a = true;
  seen_quiet : forall a b seen, at_ s a = Scanning seen -> seen b = true -> at_ s b <> Reading;
  writing_alone : forall a b, at_ s a = Writing -> at_ s b <> Reading
}.

Ltac split_update :=
  unfold update in *; repeat match goal with
  | H : context [core_dec ?x ?y] |- _ => destruct (core_dec x y); subst
  | |- context [core_dec ?x ?y] => destruct (core_dec x y); subst
  end.

Ltac gate_of s G :=
  repeat match goal with
  | H : at_ s ?c = ?p |- _ =>
      match eval cbn in (has_gate p) with
      | true => let K := fresh in pose proof (G c) as K; rewrite H in K; specialize (K eq_refl); revert H
      end
  end; intros.

Lemma step_sound : forall s s', sound s -> step s s' -> sound s'.
Proof.
  intros s s' [G L Q W] T.
  destruct T; constructor; cbn; intros; split_update; cbn in *; try discriminate; try congruence; eauto;
    try (gate_of s G; congruence);
    try (match goal with
         | H : has_gate (at_ s ?c) = true |- _ => pose proof (G c H); gate_of s G; congruence
         end);
    try (match goal with
         | H : Scanning _ = Scanning _ |- _ => injection H as <-; split_update; try discriminate; eauto
         end);
    try (intros R;
         match goal with
         | H : line s ?b = false |- _ => pose proof (L b) as K; rewrite R in K; specialize (K eq_refl); congruence
         end);
    try (match goal with
         | H : forall b, ?seen b = true, I : at_ s ?a = Scanning ?seen |- _ => eapply Q; eauto
         end);
    try (match goal with
         | H : at_ s ?a = _ |- line s ?a = true => apply L; rewrite H; reflexivity
         end).
Qed.

Theorem sound_always : forall s, reachable s -> sound s.
Proof.
  intros s R. induction R as [s (G & L & A) | s s' R I T].
  - constructor; intros; rewrite ?A in *; cbn in *; congruence.
  - eauto using step_sound.
Qed.

(** No reader beside a writer. *)
Theorem no_reader_beside_a_writer : forall s a b,
  reachable s -> at_ s a = Writing -> at_ s b <> Reading.
Proof. intros s a b R. apply (writing_alone s (sound_always s R)). Qed.

(** No writer beside another. *)
Theorem one_writer : forall s a b,
  reachable s -> at_ s a = Writing -> at_ s b = Writing -> a = b.
Proof.
  intros s a b R A B. pose proof (gate_held s (sound_always s R)) as G.
  pose proof (G a) as GA. pose proof (G b) as GB. rewrite A in GA. rewrite B in GB.
  specialize (GA eq_refl). specialize (GB eq_refl). congruence.
Qed.

End ExistenceLock.

(** ** Not vacuous: two cores read at once, and one writes *)

Inductive two := X | Y.
Definition two_dec : forall a b : two, {a = b} + {a <> b}.
Proof. decide equality. Defined.
Definition idle : state two := State two None (fun _ => false) (fun _ => Away two).

Example two_read : exists s, reachable two two_dec s /\ at_ two s X = Reading two /\ at_ two s Y = Reading two.
Proof.
  eexists. split.
  - eapply reach_step. eapply reach_step. eapply reach_step. eapply reach_step.
    + apply (reach_initial two two_dec idle). repeat split.
    + apply (announce two two_dec _ X). reflexivity.
    + apply (look_free two two_dec _ X); reflexivity.
    + apply (announce two two_dec _ Y). reflexivity.
    + apply (look_free two two_dec _ Y); reflexivity.
  - split; reflexivity.
Qed.

Example one_writes : exists s, reachable two two_dec s /\ at_ two s X = Writing two.
Proof.
  eexists. split.
  - eapply reach_step. eapply reach_step. eapply reach_step. eapply reach_step. eapply reach_step.
    + apply (reach_initial two two_dec idle). repeat split.
    + apply (want two two_dec _ X). reflexivity.
    + apply (take two two_dec _ X); reflexivity.
    + apply (see_clear two two_dec _ X X (fun _ => false)); reflexivity.
    + apply (see_clear two two_dec _ X Y (update two two_dec (fun _ => false) X true)); reflexivity.
    + eapply (write two two_dec _ X). reflexivity. intros []; reflexivity.
  - reflexivity.
Qed.

Print Assumptions no_reader_beside_a_writer.
Print Assumptions one_writer.
