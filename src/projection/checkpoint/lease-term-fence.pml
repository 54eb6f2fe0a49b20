/*
 * Lease, term and fence, for exhaustive exploration: what lease-term-fence.qnt says, with every order of all steps. It
 * also splits two steps that are one there. A process reads the checkpoint and then what is stored beside it, and the
 * command that records the order has a fence of its own before it is stored. With -DMUTANT the fence is asked before the
 * state is loaded.
 */
#define NOBODY 9
#define TERMS 4   /* how often the checkpoint is taken over */
#define CHANGES 3 /* how often somebody else changes the purse */

mtype = { standingBy, takingOver, reading, loading, fencing, deciding, refused, answered, recording, recorded }

byte lease = NOBODY
/* The checkpoint: its term, whether the order is handled, and whether the refusal of the purse is kept. */
byte term = 0
bool isHandled = false
bool isRefused = false
/* The stream of the purse: its end, its one coin, and whether it has paid for the order. */
byte end = 1
bool hasCoin = false
bool hasPaid = false
/* How the order is recorded. */
bool isPaid = false
bool isFailed = false

inline check() {
  assert(!(isPaid && isFailed));
  assert(!isPaid || hasPaid);
  assert(!isFailed || !hasPaid);
  assert(!isRefused || !hasPaid);
  assert(!isHandled || isPaid || isFailed)
}

#ifdef MUTANT
#define first fencing
#define afterFence loading
#define afterLoad deciding
#else
#define first loading
#define afterFence deciding
#define afterLoad fencing
#endif

active [2] proctype Process() {
  mtype phase = standingBy;
  byte mine = 0;
  byte loadedEnd = 0;
  bool loadedCoin = false;
  bool answer = false;
  do
  :: atomic { phase == standingBy && lease == NOBODY && term < TERMS ->
       lease = _pid; mine = term; phase = takingOver }
  :: atomic { phase == takingOver ->
       if
       :: mine == term && term < TERMS -> term++; mine = term; phase = reading
       :: mine != term -> mine = term
       :: else -> phase = standingBy; mine = 0
       fi }
  :: atomic { phase == reading ->
       answer = false;
       if
       :: isHandled -> phase = standingBy
       :: !isHandled && isRefused -> phase = answered
       :: else -> phase = first
       fi }
  :: atomic { phase == loading -> loadedEnd = end; loadedCoin = hasCoin; phase = afterLoad }
  :: atomic { phase == fencing ->
       if
       :: mine == term -> phase = afterFence
       :: else -> phase = standingBy
       fi }
  :: atomic { phase == deciding ->
       if
       :: hasPaid && (loadedCoin || loadedEnd == end) -> answer = true; phase = answered
       :: !hasPaid && loadedCoin && loadedEnd == end ->
            end++; hasCoin = false; hasPaid = true; answer = true; phase = answered
       :: !hasPaid && !loadedCoin && loadedEnd == end -> phase = refused
       :: else -> phase = first
       fi;
       loadedEnd = 0; loadedCoin = false;
       check() }
  :: atomic { phase == refused ->
       if
       :: mine == term -> isRefused = true; phase = answered
       :: else -> phase = standingBy
       fi;
       check() }
  :: atomic { phase == answered ->
       if
       :: mine == term -> phase = recording
       :: else -> phase = standingBy
       fi }
  :: atomic { phase == recording ->
       if
       :: answer -> isPaid = true
       :: else -> isFailed = true
       fi;
       phase = recorded;
       check() }
  :: atomic { phase == recorded ->
       if
       :: mine == term -> isHandled = true
       :: else
       fi;
       phase = standingBy;
       check() }
  /* It dies, and starts again. What it had in memory is lost. */
  :: atomic { phase != standingBy ->
       phase = standingBy; mine = 0; loadedEnd = 0; loadedCoin = false; answer = false }
  od
}

/* The lease ends, and others change the purse. */
active proctype World() {
  byte changes = 0;
  do
  :: atomic { lease != NOBODY -> lease = NOBODY }
  :: atomic { changes < CHANGES -> changes++; end++; hasCoin = !hasCoin }
  od
}
