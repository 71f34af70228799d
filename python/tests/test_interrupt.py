"""Ctrl-C, and what hooks raise."""
import _thread
import threading
import time
import unittest

import cinseq


class Interrupts(unittest.TestCase):
    def test_ctrl_c_ends_a_run_and_the_model_stays(self):
        model = cinseq.load_model("stories260K", "integrated_gradients")
        threading.Timer(0.3, _thread.interrupt_main).start()
        began = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            model.attribute("Once upon a time", method="integrated_gradients", n_steps=9000, show_progress=False)
        self.assertLess(time.monotonic() - began, 60)
        self.assertEqual(len(model.generate("Once", max_new_tokens=2)), 1)

    def test_ctrl_c_ends_a_run_with_a_step_function(self):
        model = cinseq.load_model("stories260K", "integrated_gradients")

        def slow(args):
            time.sleep(0.01)
            return args.forward_output.logits[0, 0, int(args.target_ids[0])]

        threading.Timer(0.3, _thread.interrupt_main).start()
        with self.assertRaises(KeyboardInterrupt):
            model.attribute("Once upon a time", attributed_fn=slow, n_steps=300, show_progress=False)
        self.assertEqual(len(model.generate("Once", max_new_tokens=2)), 1)

    def test_what_a_hook_raises_comes_out(self):
        from cinseq._library import library, run, text

        class Odd(Exception):
            pass

        def progress(stage, done, total):
            raise Odd(stage)

        model = cinseq.load_model("stories260K")
        with self.assertRaises(Odd):
            run(library.attribute, model._handle.address, text({"input_texts": ["Once"]}), progress=progress)


if __name__ == "__main__":
    unittest.main()
