"""Ctrl-C, and what hooks raise."""
import os
import signal
import threading
import time
import unittest

import numpy as np

import cinseq


class Interrupts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = cinseq.load_model("stories260K", "saliency")

    def tearDown(self):
        """Whatever ended the call, the model stays, and Ctrl-C is Python's again."""
        self.assertEqual(len(self.model.generate("Once", max_new_tokens=2)), 1)
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)

    def interrupted(self, **asked):
        """Processor seconds from the signal to the exception: other work on the machine takes no part in them."""
        pressed = []

        def press():
            pressed.append(time.process_time())
            os.kill(os.getpid(), signal.SIGINT)

        threading.Timer(0.3, press).start()
        with self.assertRaises(KeyboardInterrupt):
            self.model.attribute("Once upon a time", show_progress=False, **asked)
        return time.process_time() - pressed[0]

    def test_ctrl_c_ends_a_long_run_at_once(self):
        """Of what would take minutes."""
        seconds = self.interrupted(method="integrated_gradients", n_steps=9000)
        print(f"Ctrl-C ended integrated_gradients in {seconds:.3f} processor s", end=" ")
        self.assertLess(seconds, 10)

    def test_ctrl_c_ends_a_run_with_a_step_function(self):
        def slow(args):
            time.sleep(0.01)
            return args.forward_output.logits[0, 0, int(args.target_ids[0])]

        seconds = self.interrupted(method="integrated_gradients", attributed_fn=slow, n_steps=9000)
        print(f"with a step function in {seconds:.3f} processor s", end=" ")
        self.assertLess(seconds, 10)

    def test_ctrl_c_ends_between_two_forwards_of_a_step_function(self):
        """The signal comes in the first of many tokens' functions, which forward on their own: few more are called."""
        calls = []

        def forwarding(args):
            calls.append(len(calls))
            if len(calls) == 1:
                os.kill(os.getpid(), signal.SIGINT)
            batch = args.attribution_model.formatter.convert_args_to_batch(args)
            return args.attribution_model.get_forward_output(batch).logits[0, -1, int(args.target_ids[0])]

        cinseq.register_step_function(forwarding, "forwarding")
        self.addCleanup(cinseq.attr.step_functions.STEP_SCORES_MAP.pop, "forwarding")
        text = "Once upon a time" + " there was a cat" * 12
        with self.assertRaises(KeyboardInterrupt):
            self.model.attribute("Once", text, step_scores=["forwarding"], threads=1, show_progress=False)
        interrupted, calls[:] = len(calls), [0]
        scores = self.model.attribute("Once", text, step_scores=["forwarding"], show_progress=False)[0].step_scores["forwarding"]
        print(f"after {interrupted} of {len(scores)} step functions", end=" ")
        self.assertTrue(np.isfinite(scores).all())
        self.assertLess(interrupted, len(scores) // 2)

    def test_finished_texts_are_kept_where_that_is_asked_for(self):
        calls = []

        def pressing(args):
            calls.append(len(calls))
            if len(calls) == 5:  # in the third text
                os.kill(os.getpid(), signal.SIGINT)
            return 0.0

        cinseq.register_step_function(pressing, "pressing")
        self.addCleanup(cinseq.attr.step_functions.STEP_SCORES_MAP.pop, "pressing")
        asked = {"step_scores": ["pressing"], "generation_args": {"max_new_tokens": 2}, "threads": 1, "show_progress": False}
        texts = ["Once upon a time"] * 50
        out = self.model.attribute(texts, keep_finished=True, **asked)
        self.assertIn(len(out.sequence_attributions), range(2, 50))
        self.assertEqual(len(out.info["input_texts"]), len(out.sequence_attributions))
        calls.clear()
        with self.assertRaises(KeyboardInterrupt):
            self.model.attribute(texts, **asked)

    def test_what_a_hook_raises_comes_out(self):
        from cinseq._library import library, run, text

        class Odd(Exception):
            pass

        def progress(stage, done, total):
            raise Odd(stage)

        with self.assertRaises(Odd):
            run(library.attribute, self.model._handle.address, text({"input_texts": ["Once"]}), progress=progress)


if __name__ == "__main__":
    unittest.main()
