// The merge rules of OpenAI's CLIP (licence: THIRD_PARTY.md) inside the binary.
    .section .rodata
    .globl octet_clip_merges
octet_clip_merges:
    .incbin "clip_merges.txt"
    .globl octet_clip_merges_end
octet_clip_merges_end:
    .byte 0
    .section .note.GNU-stack,"",@progbits
