/*
 * The switch of a rebuild, for exhaustive exploration: what switch.qnt says, with every order of all steps. It is finer
 * in two places. A rebuild reads the record and changes it in two steps, and a reader reads which rows are live and
 * then the rows. With -DMUTANT the switch does not look at the version.
 */
#define GENERATIONS 4 /* with the first one */
#define EVENTS 2
#define NONE 9

mtype = { idle, beginning, building, built, switched, clearing, cleared }

/* A set of generations has a bit for each. */
#define has(set, one) ((set >> (one)) & 1)

/* The log, and the rows of each generation: how far they are, how many events they count, and the mark. */
byte top = 0
byte position[GENERATIONS] = 0
byte count[GENERATIONS] = 0
bool isMarked[GENERATIONS] = false
byte begun = 0
/* The record. */
byte version = 0
byte live = 0
byte inBuild = NONE
byte retired = 0

inline check() {
  assert(!isMarked[live] && count[live] == position[live]);
  assert(live != inBuild && !has(retired, live))
}

/* What is forgotten has one value, so that the same states count as the same. */
inline rest() {
  phase = idle; knownVersion = 0; knownLive = 0; knownBuild = NONE; knownRetired = 0; ours = 0; each = 0
}

active [2] proctype Rebuild() {
  mtype phase = idle;
  byte knownVersion = 0;
  byte knownLive = 0;
  byte knownBuild = NONE;
  byte knownRetired = 0;
  byte ours = 0;
  byte each = 0;
  do
  :: atomic { phase == idle && begun < GENERATIONS - 1 ->
       knownVersion = version; knownLive = live; knownBuild = inBuild; knownRetired = retired;
       phase = beginning }
  :: atomic { phase == beginning ->
       if
       :: knownVersion == version && begun < GENERATIONS - 1 ->
            begun++; ours = begun;
            if
            :: knownBuild != NONE -> knownRetired = knownRetired | (1 << knownBuild)
            :: else
            fi;
            version++; inBuild = ours; retired = knownRetired;
            knownVersion = version; knownLive = live; knownBuild = NONE; knownRetired = retired;
            phase = building
       :: else -> rest()
       fi;
       check() }
  :: atomic { phase == building ->
       if
       :: isMarked[ours] -> rest()
       :: !isMarked[ours] && position[ours] == top -> phase = built
       :: else -> position[ours]++; count[ours]++
       fi }
  :: atomic { phase == built ->
#ifdef MUTANT
       knownVersion = version; knownLive = live; knownRetired = retired;
#endif
       if
       :: knownVersion == version ->
            knownRetired = knownRetired | (1 << knownLive);
            version++; live = ours; inBuild = NONE; retired = knownRetired;
            knownVersion = version; knownLive = 0; ours = 0;
            phase = switched
       :: else -> rest()
       fi;
       check() }
  /* It goes through the generations: marks one that is retired, then deletes its rows. */
  :: atomic { phase == switched ->
       if
       :: each == GENERATIONS -> phase = cleared; each = 0
       :: each < GENERATIONS && has(knownRetired, each) -> isMarked[each] = true; phase = clearing
       :: else -> each++
       fi;
       check() }
  :: atomic { phase == clearing -> count[each] = 0; each++; phase = switched; check() }
  :: atomic { phase == cleared ->
       if
       :: knownVersion == version -> version++; retired = 0
       :: else
       fi;
       rest();
       check() }
  /* It dies, and starts again. */
  :: atomic { phase != idle -> rest() }
  od
}

/* Follows the log. If its rows are marked, it reads which ones are live. */
active proctype Runner() {
  byte ours = 0;
  do
  :: atomic { isMarked[ours] -> ours = live }
  :: atomic { !isMarked[ours] && position[ours] < top -> position[ours]++; count[ours]++; check() }
  od
}

active proctype Reader() {
  byte ours = 0;
  do
  :: ours = live;
     atomic {
       if
       :: isMarked[ours] -> ours = 0
       :: else -> assert(count[ours] == position[ours]); ours = 0
       fi
     }
  od
}

active proctype Log() {
  do
  :: atomic { top < EVENTS -> top++ }
  od
}
