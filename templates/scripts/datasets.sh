#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copies datasets to local volumes, beside readiness. The list datasets has, a line: name, stage, path, claim or s3, bytes,
# endpoint or "-", region or "-", bucket, prefix. A copy becomes visible when it is complete (PATH/.berth-complete); one that
# was cut off goes on where it was, file by file. stage mmap: then read into memory. stage stream, of a bucket: berth-data.
#   datasets.sh                     the job          datasets.sh data ARGUMENTS...   the command berth-data
#   datasets.sh copy FROM TO TEMP FILE...            some files of a copy
set -u
umask 022
scripts=$(cd "$(dirname "$0")" && pwd)
sources=${BERTH_SOURCES:-/run/berth/datasets}
keys=${BERTH_S3_KEYS:-/run/berth/s3}

# Each file appears by a rename, with the size and time of its source: what is there like that is not copied again.
copy_files() { # FROM TO TEMP FILE...
    from=$1 to=$2 temp=$3/$$ bad=0
    shift 3
    for file in "$@"; do
        file=${file#./}
        if [ -e "$to/$file" ] && [ "$(stat -c '%s %Y' "$from/$file")" = "$(stat -c '%s %Y' "$to/$file")" ]; then continue; fi
        rm -f "$temp"
        cp -pP "$from/$file" "$temp" && mv "$temp" "$to/$file" || bad=1
    done
    return "$bad"
}

if [ "${1:-}" = copy ]; then
    shift
    copy_files "$@"
    exit
fi

# shellcheck source=templates/scripts/lib.sh
. "$scripts/lib.sh"
# shellcheck source=templates/scripts/jobs.sh
. "$scripts/jobs.sh"

# -- claims ------------------------------------------------------------------------------------------------------------

copy_claim() { # FROM TO TEMP
    cd "$1" || return 1
    # marks of an earlier copy that the source may be: here they would say what is not so
    find . \( -name lost+found -o -path './.berth-*' \) -prune -o -type d -print0 >"$3/folders" || return 1
    find . \( -name lost+found -o -path './.berth-*' \) -prune -o \( -type f -o -type l \) -print0 >"$3/files" || return 1
    (cd "$2" && xargs -0 mkdir -p -- <"$3/folders") || return 1
    xargs -0 -n 64 -P 8 "$(own_sh)" "$scripts/datasets.sh" copy "$1" "$2" "$3" <"$3/files"
}

# -- buckets -----------------------------------------------------------------------------------------------------------

# bucket_keys NAME: the keys, in variables that only one program gets
bucket_keys() {
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE
    for variable in AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN; do
        [ ! -r "$keys/$1/$variable" ] || export "$variable=$(cat "$keys/$1/$variable")"
    done
    [ "$region" = - ] || { AWS_DEFAULT_REGION=$region AWS_REGION=$region && export AWS_DEFAULT_REGION AWS_REGION; }
    if [ "$endpoint" = - ]; then RCLONE_S3_PROVIDER=AWS; else RCLONE_S3_PROVIDER=Other RCLONE_S3_ENDPOINT=$endpoint && export RCLONE_S3_ENDPOINT; fi
    RCLONE_CONFIG_BERTH_TYPE=s3
    RCLONE_S3_ENV_AUTH=true
    RCLONE_S3_NO_CHECK_BUCKET=true
    RCLONE_CONFIG=/dev/null
    [ "$region" = - ] || { RCLONE_S3_REGION=$region && export RCLONE_S3_REGION; }
    export RCLONE_S3_PROVIDER RCLONE_CONFIG_BERTH_TYPE RCLONE_S3_ENV_AUTH RCLONE_S3_NO_CHECK_BUCKET RCLONE_CONFIG
}

bucket_tool() { bucket_program=$(find_tool rclone aws); }

aws_s3() { # ARGUMENTS...
    if [ "$endpoint" = - ]; then "$bucket_program" s3 "$@"; else "$bucket_program" --endpoint-url "$endpoint" s3 "$@"; fi
}

# Both compare size and time and make each file appear by a rename.
copy_bucket() { # NAME TO
    bucket_keys "$1"
    case $bucket_program in
    */rclone) "$bucket_program" copy --transfers 8 --checkers 16 --retries 3 "berth:$bucket/${prefix%/}" "$2" ;;
    *) aws_s3 sync --only-show-errors --no-follow-symlinks "s3://$bucket/${prefix%/}" "$2" ;;
    esac
}

# -- one dataset -------------------------------------------------------------------------------------------------------

amount() { # KIB
    if [ "$1" -ge 10485760 ]; then printf '%s GiB\n' "$(($1 / 1048576))"; else printf '%s MiB\n' "$(($1 / 1024))"; fi
}

# copying PATH FUNCTION ARGUMENTS...: runs it beside us and says how far it is
copying() {
    copy_path=$1 ticks=0
    shift
    rm -f "$copy_path/.berth-temp/status"
    (
        "$@" >>"$log" 2>&1 </dev/null
        printf '%s\n' "$?" >"$copy_path/.berth-temp/status.new"
        mv "$copy_path/.berth-temp/status.new" "$copy_path/.berth-temp/status"
    ) &
    copier=$!
    while [ ! -e "$copy_path/.berth-temp/status" ] && kill -0 "$copier" 2>/dev/null; do
        if [ $((ticks % 15)) = 0 ]; then
            so_far=$(du -sk "$copy_path/.berth-part" 2>/dev/null | cut -f 1)
            status datasets "copying $name: $(amount "${so_far:-0}") of $(amount $((bytes / 1024)))"
        fi
        ticks=$((ticks + 1))
        together sleep 2
    done
    wait "$copier"
    [ "$(cat "$copy_path/.berth-temp/status" 2>/dev/null)" = 0 ]
}

fetch() {
    if [ "$kind" = claim ]; then
        copying "$path" copy_claim "$sources/$name" "$path/.berth-part" "$path/.berth-temp"
    else
        bucket_tool || { note "$name: neither rclone nor aws is in the image or the toolbox"; return 1; }
        copying "$path" copy_bucket "$name" "$path/.berth-part"
    fi
}

# show: moves a complete copy up and marks it; where that was cut off it goes on
show() {
    for entry in "$path/.berth-part"/* "$path/.berth-part"/.[!.]* "$path/.berth-part"/..?*; do
        [ -e "$entry" ] || [ -L "$entry" ] || continue
        if [ -e "$path/${entry##*/}" ]; then
            note "$name: $path/${entry##*/} is somebody else's"
            return 1
        fi
        mv "$entry" "$path/" 2>>"$log" || return 1
    done
    rm -rf "$path/.berth-part" "$path/.berth-temp"
    printf '%s, %s, complete at %s\n' "$name" "$(amount "$(du -sk "$path" | cut -f 1)")" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$path/.berth-complete.new"
    mv "$path/.berth-complete.new" "$path/.berth-complete" && rm -f "$path/.berth-moving"
}

copy_dataset() {
    [ ! -e "$path/.berth-complete" ] || return 0
    if [ ! -d "$path" ] || [ ! -w "$path" ]; then
        note "$name: $path cannot be written"
        return 1
    fi
    if [ ! -e "$path/.berth-moving" ]; then
        rm -rf "$path/.berth-temp"
        mkdir -p "$path/.berth-part" "$path/.berth-temp" || return 1
        note "$name: copying to $path"
        fetch || return 1
        : >"$path/.berth-moving"
    fi
    show
}

# Reading a file puts it into memory; it stays there as long as nobody needs the room. Locked where that is allowed.
read_in() {
    status datasets "reading $name into memory"
    # shellcheck disable=SC3045 # dash, bash and busybox know -l
    if tool=$(find_tool vmtouch) && [ "$(ulimit -l)" = unlimited ]; then
        together "$tool" -q -d -l -w "$path" >>"$log" 2>&1
    else
        # shellcheck disable=SC2016
        together find "$path" -type f -exec sh -c 'cat "$@" >/dev/null' sh {} + 2>>"$log"
    fi
}

attempt() {
    failed=
    while IFS=$tab read -r name stage path kind bytes endpoint region bucket prefix; do
        [ -n "$path" ] || continue
        [ "$stage" != stream ] || continue
        if copy_dataset </dev/null; then
            case " $in_memory " in *" $name "*) continue ;; esac
            [ "$stage" != mmap ] || read_in || note "$name: not all of it could be read"
            in_memory="$in_memory $name"
        else
            failed="$failed $name"
        fi
    done <"$lists/datasets"
    [ -z "$failed" ]
}

# -- berth-data --------------------------------------------------------------------------------------------------------

usage() {
    echo 'usage: berth-data list DATASET [FOLDER]    the objects of a dataset in a bucket'
    echo '       berth-data cat DATASET OBJECT       one of them, to standard output: nothing is kept'
    exit 2
}

find_dataset() { # NAME
    while IFS=$tab read -r name stage path kind bytes endpoint region bucket prefix; do
        if [ "$name" = "$1" ] && [ "$kind" = s3 ]; then return 0; fi
    done <"$lists/datasets"
    echo "berth-data: no dataset '$1' in a bucket" >&2
    exit 1
}

data() { # VERB DATASET WHAT
    if [ $# -lt 2 ] || [ ! -f "$lists/datasets" ]; then usage; fi
    find_dataset "$2"
    bucket_tool || { echo 'berth-data: neither rclone nor aws is in the image or the toolbox' >&2; exit 1; }
    bucket_keys "$2"
    prefix=${prefix%/}
    at=$bucket/${prefix:+$prefix/}${3:-}
    case $1:${bucket_program##*/} in
    list:rclone) exec "$bucket_program" lsf --recursive --files-only "berth:${at%/}" ;;
    list:*) aws_s3 ls --recursive "s3://$at" ;;
    cat:rclone) exec "$bucket_program" cat "berth:$at" ;;
    cat:*) aws_s3 cp --only-show-errors "s3://$at" - ;;
    *) usage ;;
    esac
}

if [ "${1:-}" = data ]; then
    shift
    data "$@"
    exit
fi

# -- the job -----------------------------------------------------------------------------------------------------------

end_copy() {
    trap '' TERM INT
    # the copier and its programs are one group where we lead one; elsewhere the container ends them
    [ -z "${copier:-}" ] || kill "$copier" 2>/dev/null
    end_child
}

in_memory=
trap end_copy TERM INT
mkdir -p "$run/bin"
printf '#!/bin/sh\nexec %s %s/datasets.sh data "$@"\n' "$(own_sh)" "$scripts" >"$run/bin/berth-data" && chmod 755 "$run/bin/berth-data"
while :; do
    was=$(fingerprint datasets)
    new_log "$state/datasets.log"
    attempt && break
    status datasets "failed:$failed: see ~/.berth/datasets.log, again in $pause s"
    rest "$pause" "$was" datasets || exit 0
    pause_more
done
status datasets "ready: $(count datasets)"
finished datasets "$was"
