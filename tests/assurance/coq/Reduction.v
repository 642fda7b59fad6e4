(** * Interleavings reduce to serial orders

    Any number of instances, any type of locations. A step touches its footprint only. Steps of different instances have
    disjoint footprints, except for those marked [shared] (a doorbell's mailbox): two shared steps may conflict.

    Theorem: two schedules in which every instance does the same in the same order, and the shared steps come in the same
    order, end in the same state. Hence what hardware interleaves may be reasoned about serially; without shared steps,
    instance after instance. *)

Require Import List Bool.
Import ListNotations.

Section Reduction.

Variable instance : Type.
Variable instance_dec : forall i j : instance, {i = j} + {i <> j}.
Variable location : Type.
Variable value : Type.

Definition state : Type := location -> value.
Definition same (s t : state) : Prop := forall l, s l = t l.

Record step := Step {
  actor : instance;
  shared : bool;
  footprint : location -> bool;
  effect : state -> state;
  (* It writes its footprint only, *)
  frame : forall s l, footprint l = false -> effect s l = s l;
  (* and what it writes depends on its footprint only. *)
  reads : forall s t, (forall l, footprint l = true -> s l = t l) ->
          forall l, footprint l = true -> effect s l = effect t l
}.

Definition disjoint (a b : step) : Prop := forall l, footprint a l = true -> footprint b l = false.

Lemma effect_same : forall a s t, same s t -> same (effect a s) (effect a t).
Proof.
  intros a s t E l. destruct (footprint a l) eqn:F.
  - apply reads; auto.
  - rewrite !frame; auto.
Qed.

(** ** Steps with disjoint footprints commute *)

Theorem commute : forall a b s, disjoint a b -> same (effect a (effect b s)) (effect b (effect a s)).
Proof.
  intros a b s D l.
  destruct (footprint a l) eqn:A.
  - rewrite (frame b (effect a s)) by auto. apply reads; auto.
    intros k K. apply frame. auto.
  - rewrite frame by auto. destruct (footprint b l) eqn:B.
    + apply reads; auto. intros k K. symmetry. apply frame.
      destruct (footprint a k) eqn:E; auto. rewrite (D k E) in K. discriminate.
    + rewrite !frame; auto.
Qed.

(** ** Schedules *)

Definition run (l : list step) (s : state) : state := fold_left (fun s a => effect a s) l s.

Lemma run_same : forall l s t, same s t -> same (run l s) (run l t).
Proof. induction l as [| a l IH]; intros s t E; cbn; auto. apply IH, effect_same, E. Qed.

Lemma run_app : forall l k s, run (l ++ k) s = run k (run l s).
Proof. intros. apply fold_left_app. Qed.

(** Which steps may not be exchanged. *)
Definition dependent (a b : step) : Prop := actor a = actor b \/ (shared a = true /\ shared b = true).

(** The separation of the instances: every two independent steps have disjoint footprints. *)
Definition separated (l : list step) : Prop :=
  forall a b, In a l -> In b l -> ~ dependent a b -> disjoint a b.

(** A step moves before a list of steps that it is independent of. *)
Lemma move_front : forall p x s,
  (forall a, In a p -> disjoint a x) -> same (run (p ++ [x]) s) (run (x :: p) s).
Proof.
  induction p as [| a p IH]; intros x s D; [intros l; reflexivity |].
  intros l. cbn. rewrite (IH x (effect a s)) by (intros; apply D; cbn; auto). cbn.
  symmetry. apply run_same, commute, D. cbn; auto.
Qed.

Definition is_of (i : instance) (a : step) : bool := if instance_dec (actor a) i then true else false.

(** The first step that passes a filter, and what comes before it. *)
Lemma first_split : forall (f : step -> bool) l x r,
  filter f l = x :: r -> exists p q, l = p ++ x :: q /\ filter f p = [] /\ filter f q = r /\ f x = true.
Proof.
  intros f. induction l as [| a l IH]; intros x r E; cbn in E; [discriminate |].
  destruct (f a) eqn:F.
  - injection E as <- <-. exists [], l. auto.
  - destruct (IH _ _ E) as (p & q & -> & P & Q & X). exists (a :: p), q. cbn. rewrite F. auto.
Qed.

Lemma filter_none : forall (f : step -> bool) l a, filter f l = [] -> In a l -> f a = false.
Proof.
  intros f l a E I. destruct (f a) eqn:F; auto.
  assert (H : In a (filter f l)) by (apply filter_In; auto). rewrite E in H. destruct H.
Qed.

Definition alike (l k : list step) : Prop :=
  (forall i, filter (is_of i) l = filter (is_of i) k) /\ filter shared l = filter shared k.

(** ** The theorem *)

Theorem reduction : forall l k s,
  separated k -> alike l k -> same (run l s) (run k s).
Proof.
  induction l as [| x l IH]; intros k s S [O C].
  - destruct k as [| y k]; [intros ?; reflexivity |].
    specialize (O (actor y)). cbn in O. unfold is_of in O at 1.
    destruct (instance_dec (actor y) (actor y)); [discriminate | contradiction].
  - assert (X : is_of (actor x) x = true).
    { unfold is_of. destruct (instance_dec (actor x) (actor x)); auto. }
    pose proof (O (actor x)) as Ox. cbn in Ox. rewrite X in Ox. symmetry in Ox.
    destruct (first_split _ _ _ _ Ox) as (p & q & -> & P & Q & _).
    (* If x is shared, nothing shared comes before it. *)
    assert (B : shared x = true -> filter shared p = []).
    { intros H. cbn in C. rewrite H in C. destruct (filter shared p) as [| y r] eqn:E; auto. exfalso.
      rewrite filter_app, E in C. cbn in C. injection C as E' _. subst y.
      assert (In x p) by (assert (In x (filter shared p)) by (rewrite E; cbn; auto); apply filter_In in H0; tauto).
      rewrite (filter_none _ _ _ P H0) in X. discriminate. }
    assert (D : forall a, In a p -> disjoint a x).
    { intros a I. apply S; try (apply in_or_app; cbn; auto; fail).
      intros [E | [Ha Hx]].
      - pose proof (filter_none _ _ _ P I) as N. unfold is_of in N.
        destruct (instance_dec (actor a) (actor x)); [discriminate | contradiction].
      - rewrite (filter_none _ _ _ (B Hx) I) in Ha. discriminate. }
    intros loc.
    change (p ++ x :: q) with (p ++ [x] ++ q). rewrite app_assoc, run_app.
    rewrite (run_same q _ _ (move_front p x s D)). rewrite <- run_app. cbn [app run fold_left].
    apply IH.
    + intros a b A Bb N. apply S; auto; apply in_or_app; apply in_app_or in A; apply in_app_or in Bb; cbn; tauto.
    + split.
      * intros i. specialize (O i). rewrite filter_app in *. cbn in O.
        destruct (is_of i x) eqn:F; [| exact O].
        assert (actor x = i) by (unfold is_of in F; destruct (instance_dec (actor x) i); congruence).
        subst i. rewrite P in *. cbn in *. injection O as O. exact O.
      * rewrite filter_app in *. cbn in C. destruct (shared x) eqn:H; [| exact C].
        rewrite (B eq_refl) in *. cbn in *. injection C as C. exact C.
Qed.

(** ** Without shared steps: instance after instance *)

Definition serial (order : list instance) (l : list step) : list step :=
  flat_map (fun i => filter (is_of i) l) order.

Lemma is_of_same : forall i a, is_of i a = true <-> actor a = i.
Proof. intros. unfold is_of. destruct (instance_dec (actor a) i); split; congruence. Qed.

Lemma filter_twice : forall i j l,
  filter (is_of i) (filter (is_of j) l) = if instance_dec i j then filter (is_of i) l else [].
Proof.
  intros i j. induction l as [| a l IH]; cbn; [destruct (instance_dec i j); auto |].
  destruct (is_of j a) eqn:J; cbn; rewrite IH; destruct (is_of i a) eqn:I; destruct (instance_dec i j) as [E | N]; auto.
  - apply is_of_same in I, J. congruence.
  - apply is_of_same in I. subst. assert (is_of (actor a) a = true) by (apply is_of_same; auto). congruence.
Qed.

Lemma filter_serial : forall order i l, NoDup order ->
  filter (is_of i) (serial order l) = if in_dec instance_dec i order then filter (is_of i) l else [].
Proof.
  induction order as [| j order IH]; intros i l N; [reflexivity |].
  apply NoDup_cons_iff in N as [F N]. unfold serial in *. cbn [flat_map].
  rewrite filter_app, filter_twice, IH by auto.
  destruct (in_dec instance_dec i (j :: order)) as [I | I]; destruct (in_dec instance_dec i order) as [I' | I'];
    destruct (instance_dec i j) as [E | E]; cbn in I; subst; try tauto; try (rewrite app_nil_r); auto.
  exfalso. destruct I; [congruence | contradiction].
Qed.

Theorem serialisable : forall order l s,
  NoDup order -> (forall a, In a l -> In (actor a) order) ->
  separated l -> (forall a, In a l -> shared a = false) ->
  same (run l s) (run (serial order l) s).
Proof.
  intros order l s N A S U.
  assert (M : forall a, In a (serial order l) -> In a l).
  { intros a I. apply in_flat_map in I as (i & _ & I). apply filter_In in I. tauto. }
  assert (Z : forall k, (forall a, In a k -> shared a = false) -> filter shared k = []).
  { induction k as [| a k IH]; intros H; cbn; auto. rewrite (H a) by (cbn; auto). apply IH. intros; apply H; cbn; auto. }
  apply reduction.
  - intros a b Ia Ib. apply S; auto.
  - split; [| rewrite !Z; auto].
    intros i. rewrite filter_serial by auto. destruct (in_dec instance_dec i order) as [I | I]; auto.
    destruct (filter (is_of i) l) as [| a r] eqn:E; auto. exfalso.
    assert (In a l /\ is_of i a = true) as [Ia Ii] by (apply filter_In; rewrite E; cbn; auto).
    apply is_of_same in Ii. subst. auto.
Qed.

(** Two atomic transitions, each any number of fine-grained steps: every interleaving of them is one after the other. *)
Inductive interleaving : list step -> list step -> list step -> Prop :=
| weave_done : interleaving [] [] []
| weave_left : forall a t u l, interleaving t u l -> interleaving (a :: t) u (a :: l)
| weave_right : forall a t u l, interleaving t u l -> interleaving t (a :: u) (a :: l).

Theorem two_transitions : forall i j t u l s, i <> j ->
  (forall a, In a t -> actor a = i) -> (forall a, In a u -> actor a = j) ->
  (forall a b, In a t -> In b u -> disjoint a b) ->
  interleaving t u l -> same (run l s) (run (t ++ u) s).
Proof.
  intros i j t u l s N T U D W. revert s. induction W as [| a t u l W IH | a t u l W IH]; intros s.
  - intros loc; reflexivity.
  - cbn. apply IH; auto; intros; try apply T; try apply D; cbn; auto.
  - intros loc. cbn. rewrite IH; auto; try (intros; try apply U; try apply D; cbn; auto).
    change (t ++ a :: u) with (t ++ [a] ++ u). rewrite app_assoc, (run_app (t ++ [a])).
    rewrite (run_same u _ _ (move_front t a s (fun b I => D b a I (or_introl eq_refl)))).
    rewrite <- run_app. reflexivity.
Qed.

End Reduction.

(** ** Not vacuous: two instances that both write, interleaved *)

Definition write (i : bool) (f : nat -> nat) : step bool bool nat.
Proof.
  refine (Step bool bool nat i false (Bool.eqb i) (fun s l => if Bool.eqb i l then f (s l) else s l) _ _).
  - intros s l E. rewrite E. reflexivity.
  - intros s t E l F. rewrite F. rewrite (E l F). reflexivity.
Defined.

Example separated_writes : separated bool bool nat [write true S; write false S; write true (fun n => n + n)].
Proof.
  intros a b A B N l F. cbn in A, B.
  destruct A as [<- | [<- | [<- | []]]], B as [<- | [<- | [<- | []]]], l; cbn in *; try reflexivity; try discriminate;
    exfalso; apply N; left; reflexivity.
Qed.

Example writes_happen :
  run bool bool nat [write true S; write false S; write true (fun n => n + n)] (fun _ => 1) true = 4.
Proof. reflexivity. Qed.

(** ** Disjointness is needed: two increments of one location, read and written separately, lose one *)

(** Locations: 0 is the counter that both touch, 1 and 2 are the registers of the two. *)
Definition load (r : nat) (s : nat -> nat) : nat -> nat := fun l => if Nat.eqb l r then s 0 else s l.
Definition store (r : nat) (s : nat -> nat) : nat -> nat := fun l => if Nat.eqb l 0 then S (s r) else s l.

Lemma overlapping_transitions_do_not_reduce :
  let zero := fun _ : nat => 0 in
  store 2 (load 2 (store 1 (load 1 zero))) 0 = 2 /\
  store 1 (load 1 (store 2 (load 2 zero))) 0 = 2 /\
  store 2 (store 1 (load 2 (load 1 zero))) 0 = 1.
Proof. repeat split. Qed.

Print Assumptions reduction.
Print Assumptions serialisable.
Print Assumptions two_transitions.
