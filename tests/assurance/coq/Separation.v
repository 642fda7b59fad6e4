(** * Kernel memory of N instances stays disjoint

    Any number of instances, any type of frames, any partition function [owner]. Page tables lie in memory and are
    written by the kernels themselves; an instance's kernel can name what its own tables lead to, and nothing else.
    The discipline assumed of one instance (its obligations at level 3) is in [step]; the theorem lifts it to all.

    A frame without an owner belongs to a channel: users may map it, no kernel may. *)

Require Import List.
Import ListNotations.

Section Separation.

Variable instance : Type.
Variable frame : Type.
Variable word : Type.

(** The partition: who owns a frame; [None] is a channel's. *)
Variable owner : frame -> option instance.
(** Which channels an instance is an end of. *)
Variable attached : instance -> frame -> Prop.
(** The top table of each instance. *)
Variable root : instance -> frame.
Hypothesis root_owned : forall i, owner (root i) = Some i.

Inductive entry : Type :=
| Table (f : frame)       (* the next level *)
| KernelLeaf (f : frame)  (* a page of the kernel *)
| UserLeaf (f : frame).   (* a page of a program *)

Inductive content : Type :=
| Data (w : word)
| Entries (l : list entry).

Definition memory : Type := frame -> content.

(** The tables that the walk from the root of [i] passes through. *)
Inductive walks (m : memory) (i : instance) : frame -> Prop :=
| walks_root : walks m i (root i)
| walks_next : forall f l g, walks m i f -> m f = Entries l -> In (Table g) l -> walks m i g.

(** What the kernel of [i] can name: its tables' pages are among its kernel pages, so both count. *)
Inductive kernel_maps (m : memory) (i : instance) : frame -> Prop :=
| maps_table : forall f, walks m i f -> kernel_maps m i f
| maps_leaf : forall f l g, walks m i f -> m f = Entries l -> In (KernelLeaf g) l -> kernel_maps m i g.

(** What programs of [i] can name. *)
Inductive user_maps (m : memory) (i : instance) : frame -> Prop :=
| maps_user : forall f l g, walks m i f -> m f = Entries l -> In (UserLeaf g) l -> user_maps m i g.

(** What an instance may write into a table. *)
Definition entry_allowed (i : instance) (e : entry) : Prop :=
  match e with
  | Table g => owner g = Some i
  | KernelLeaf g => owner g = Some i
  | UserLeaf g => owner g = Some i \/ (owner g = None /\ attached i g)
  end.

Definition changes (m m' : memory) (f : frame) (c : content) : Prop :=
  m' f = c /\ forall g, g <> f -> m' g = m g.

(** One step of instance [i] (any of its cores). *)
Inductive step (i : instance) (m m' : memory) : Prop :=
| kernel_writes_data : forall f w,
    kernel_maps m i f -> changes m m' f (Data w) -> step i m m'
| kernel_writes_table : forall f l,
    kernel_maps m i f -> Forall (entry_allowed i) l -> changes m m' f (Entries l) -> step i m m'
| user_writes : forall f w w',
    user_maps m i f -> m f = Data w -> changes m m' f (Data w') -> step i m m'.

(** Any number of steps, of any instances, in any order. *)
Inductive steps : memory -> memory -> Prop :=
| steps_none : forall m, steps m m
| steps_more : forall i m m' m'', steps m m' -> step i m' m'' -> steps m m''.

(** The invariant: an instance's frames hold only entries that it may write, and a channel holds no table. *)
Definition sound (m : memory) : Prop :=
  forall f l, m f = Entries l -> exists i, owner f = Some i /\ Forall (entry_allowed i) l.

Lemma walks_owned : forall m i f, sound m -> walks m i f -> owner f = Some i.
Proof.
  intros m i f S W. induction W as [| f l g W IH E I]; auto.
  destruct (S f l E) as [j [O A]].
  assert (i = j) by congruence; subst j.
  rewrite Forall_forall in A. exact (A _ I).
Qed.

Lemma kernel_maps_owned : forall m i f, sound m -> kernel_maps m i f -> owner f = Some i.
Proof.
  intros m i f S K. destruct K as [f W | f l g W E I].
  - eauto using walks_owned.
  - destruct (S f l E) as [j [O A]]. pose proof (walks_owned _ _ _ S W).
    assert (i = j) by congruence; subst j. rewrite Forall_forall in A. exact (A _ I).
Qed.

Lemma user_maps_owned : forall m i f,
  sound m -> user_maps m i f -> owner f = Some i \/ (owner f = None /\ attached i f).
Proof.
  intros m i f S U. destruct U as [f l g W E I].
  destruct (S f l E) as [j [O A]]. pose proof (walks_owned _ _ _ S W).
  assert (i = j) by congruence; subst j. rewrite Forall_forall in A. exact (A _ I).
Qed.

Variable frame_dec : forall f g : frame, {f = g} + {f <> g}.

Theorem step_sound : forall i m m', sound m -> step i m m' -> sound m'.
Proof.
  intros i m m' S T f l E.
  destruct T as [g w K [At El] | g k K A [At El] | g w w' U D [At El]];
    destruct (frame_dec f g) as [-> | N]; try (rewrite At in E; discriminate);
    try (rewrite (El _ N) in E; eauto; fail).
  rewrite At in E. injection E as <-. exists i. split; auto. eauto using kernel_maps_owned.
Qed.

Theorem steps_sound : forall m m', sound m -> steps m m' -> sound m'.
Proof. intros m m' S T. induction T; eauto using step_sound. Qed.

(** No frame is in two kernels' reach, ever. *)
Theorem separation : forall m m' i j f,
  sound m -> steps m m' -> kernel_maps m' i f -> kernel_maps m' j f -> i = j.
Proof.
  intros m m' i j f S T I J. pose proof (steps_sound _ _ S T) as S'.
  pose proof (kernel_maps_owned _ _ _ S' I). pose proof (kernel_maps_owned _ _ _ S' J). congruence.
Qed.

(** No kernel ever has a channel in its reach. *)
Theorem channels_unmapped : forall m m' i f,
  sound m -> steps m m' -> owner f = None -> ~ kernel_maps m' i f.
Proof.
  intros m m' i f S T O K. pose proof (kernel_maps_owned _ _ _ (steps_sound _ _ S T) K). congruence.
Qed.

(** A step of one instance leaves every frame of every other as it was. *)
Theorem integrity : forall i j m m' f,
  sound m -> step i m m' -> owner f = Some j -> i <> j -> m' f = m f.
Proof.
  intros i j m m' f S T O N.
  destruct T as [g w K [At El] | g k K A [At El] | g w w' U D [At El]]; apply El; intros ->.
  - pose proof (kernel_maps_owned _ _ _ S K). congruence.
  - pose proof (kernel_maps_owned _ _ _ S K). congruence.
  - destruct (user_maps_owned _ _ _ S U) as [H | [H _]]; congruence.
Qed.

(** A program changes what its own instance owns, or a channel that it is an end of. *)
Theorem users_stay : forall i m m' f,
  sound m -> step i m m' -> m' f <> m f -> owner f = Some i \/ (owner f = None /\ attached i f).
Proof.
  intros i m m' f S T C.
  destruct T as [g w K [At El] | g k K A [At El] | g w w' U D [At El]];
    destruct (frame_dec f g) as [-> | N]; try (exfalso; apply C, El, N);
    eauto using kernel_maps_owned, user_maps_owned.
Qed.

End Separation.

(** ** Not vacuous: two instances and a channel, in which each kernel can act *)

Definition own (f : nat) : option bool :=
  match f with 0 | 1 => Some true | 2 | 3 => Some false | _ => None end.
Definition top (i : bool) : nat := if i then 0 else 2.
Definition start (f : nat) : content nat nat :=
  match f with
  | 0 => Entries _ _ [KernelLeaf _ 1; UserLeaf _ 4]
  | 2 => Entries _ _ [KernelLeaf _ 3; UserLeaf _ 4]
  | _ => Data _ _ 0
  end.

Lemma start_sound : sound bool nat nat own (fun _ f => f = 4) start.
Proof.
  intros [| [| [| f]]] l E; cbn in E; try discriminate; injection E as <-;
    [exists true | exists false]; (split; [reflexivity |]);
    (apply Forall_cons; [reflexivity |]; apply Forall_cons; [right; split; reflexivity | apply Forall_nil]).
Qed.

Lemma start_moves : exists m, step bool nat nat own (fun _ f => f = 4) top true start m /\ m 1 <> start 1.
Proof.
  exists (fun f => if Nat.eqb f 1 then Data _ _ 7 else start f). split; [| discriminate].
  apply (kernel_writes_data _ _ _ _ _ _ _ _ _ 1 7).
  - apply (maps_leaf _ _ _ _ _ _ 0 [KernelLeaf _ 1; UserLeaf _ 4]); cbn; auto. apply (walks_root _ _ _ top start true).
  - split; [reflexivity |]. intros g N. destruct g as [| [| g]]; cbn; auto. contradiction.
Qed.

(** ** The check of entries is needed: without it one step reaches a neighbour's frame *)

Definition stray (f : nat) : content nat nat :=
  match f with 0 => Entries _ _ [KernelLeaf _ 3] | _ => start f end.

Lemma unchecked_entries_break_separation :
  changes nat nat start stray 0 (Entries _ _ [KernelLeaf _ 3]) /\
  kernel_maps bool nat nat top stray true 3 /\ kernel_maps bool nat nat top stray false 3.
Proof.
  repeat split.
  - intros g N. destruct g; [contradiction | reflexivity].
  - apply (maps_leaf _ _ _ _ _ _ 0 [KernelLeaf _ 3]); cbn; auto. apply (walks_root _ _ _ top stray true).
  - apply (maps_leaf _ _ _ _ _ _ 2 [KernelLeaf _ 3; UserLeaf _ 4]); cbn; auto.
    apply (walks_root _ _ _ top stray false).
Qed.

Print Assumptions separation.
Print Assumptions integrity.
