/* What the C made of the harnesses needs to be a question for CBMC: one small memory, and values that may be any.
 *
 * HARNESS is defined on the command line. The last assertion must fail: it shows that some value gets that far, so that
 * the others do not hold because the assumptions contradict each other. */
#include "proofs.h"

struct w2c_env { int unused; };

/* Smaller than a page of WebAssembly, so that bounds are tighter than the real ones: 1 KiB of stack, then constants. */
static uint8_t memory[1280];
static wasm_rt_funcref_t functions[8];
static w2c_proofs instance;
static struct w2c_env environment;

uint64_t nondet_u64(void);

void wasm_rt_trap(wasm_rt_trap_t code) {
  __CPROVER_assert(0, "no panic, overflow or stray access");
  __CPROVER_assume(0);
}

bool wasm_rt_is_initialized(void) { return true; }

void wasm_rt_allocate_memory(wasm_rt_memory_t* m, uint64_t pages, uint64_t max_pages, bool is64) {
  m->data = memory;
  m->pages = pages;
  m->max_pages = max_pages;
  m->size = sizeof memory;
  m->is64 = is64;
}

void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t* table, uint32_t count, uint32_t most) {
  __CPROVER_assume(count <= sizeof functions / sizeof functions[0]);
  table->data = functions;
  table->size = count;
  table->max_size = most;
}

void wasm_rt_free_memory(wasm_rt_memory_t* m) {}

uint64_t w2c_env_any_word(struct w2c_env* env) { return nondet_u64(); }
void w2c_env_assume_that(struct w2c_env* env, uint32_t condition) { __CPROVER_assume(condition); }
void w2c_env_check_that(struct w2c_env* env, uint32_t condition) { __CPROVER_assert(condition, "what is claimed holds"); }

#define JOIN(a, b) a##b
#define CALL(name) JOIN(w2c_proofs_prove_, name)

void prove(void) {
  wasm2c_proofs_instantiate(&instance, &environment);
  CALL(HARNESS)(&instance);
  __CPROVER_assert(0, "the end is not reached");
}
